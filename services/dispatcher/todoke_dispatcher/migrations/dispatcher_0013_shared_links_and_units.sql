-- Links that all copies of a message share, and LINE's aggregation units
-- depends: dispatcher_0002_links

-- migrate: apply
-- `shared`: which link of which message of a campaign's version, and where it leads; NULL for a link of one message, or of
-- none. A shared link has account and lane, and no message: nobody knows who follows it.
ALTER TABLE links ADD COLUMN shared uuid;
CREATE UNIQUE INDEX links_shared ON links (shared) WHERE shared IS NOT NULL;

-- The names by which LINE counts this month (its first day, Asia/Tokyo), and the step that each stands for.
CREATE TABLE units (
    account text NOT NULL,
    month date NOT NULL,
    unit text NOT NULL CHECK (unit ~ '^[A-Za-z0-9_]{1,30}$'),
    campaign text NOT NULL,
    step text NOT NULL,
    PRIMARY KEY (account, month, unit)
);

-- migrate: rollback
DROP TABLE units;
DELETE FROM links WHERE shared IS NOT NULL;
DROP INDEX links_shared;
ALTER TABLE links DROP COLUMN shared;
