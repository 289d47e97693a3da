-- What shops said has changed and is still to be fetched back from them, and what that needs to remember
-- depends:

-- migrate: apply
-- One row per entity that waits. `notices` counts what was said of it: a fetch finishes only the notices it began with.
CREATE TABLE fetches (
    platform text NOT NULL,
    shop text NOT NULL,
    entity text NOT NULL,
    entity_id text NOT NULL,
    action text NOT NULL,
    received_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    leased_until timestamptz,
    notices bigint NOT NULL DEFAULT 1,
    attempts int NOT NULL DEFAULT 0,
    PRIMARY KEY (platform, shop, entity, entity_id)
);
CREATE INDEX fetches_due ON fetches (platform, shop, due_at);

-- What has been told of an entity once and for all, such as that an order was placed: inboxes forget after 35 days,
-- and an order may be edited years later. A row has about 100 bytes and is kept.
CREATE TABLE told (
    platform text NOT NULL,
    shop text NOT NULL,
    entity text NOT NULL,
    entity_id text NOT NULL,
    facts text[] NOT NULL,
    PRIMARY KEY (platform, shop, entity, entity_id)
);

-- OAuth tokens that replace themselves. `began_with`: the hash of the configured refresh token they descend from, so
-- that a newly configured one is seen. `refreshing_until`: an ingest is asking for the next, and no other may.
CREATE TABLE platform_tokens (
    platform text NOT NULL,
    shop text NOT NULL,
    began_with text NOT NULL,
    access_token text,
    expires_at timestamptz,
    refresh_token text NOT NULL,
    refreshing_until timestamptz,
    PRIMARY KEY (platform, shop)
);

-- migrate: rollback
DROP TABLE fetches, told, platform_tokens;
