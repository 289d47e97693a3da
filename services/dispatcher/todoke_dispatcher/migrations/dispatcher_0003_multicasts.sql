-- Multicasts: messages with one content, stored as one request to LINE before it goes out
-- depends: dispatcher_0001_ledger

-- migrate: apply
-- One row a request. `members` are the message ids in the order of the body's recipients. `next_attempt_at`: when it may be
-- claimed; for one under way, the end of its lease. `expires_at`: the shop's time; the other instants are LINE's.
CREATE TABLE multicasts (
    id uuid PRIMARY KEY,
    account text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'attempting', 'accepted', 'split', 'dissolved', 'unknown')),
    parent uuid,
    members uuid[] NOT NULL CHECK (cardinality(members) BETWEEN 2 AND 500),
    body bytea NOT NULL,
    retry_key uuid NOT NULL,
    expires_at timestamptz,
    ambiguous bool NOT NULL DEFAULT false,
    first_attempt_at timestamptz,
    next_attempt_at timestamptz,
    attempts int NOT NULL DEFAULT 0,
    claims int NOT NULL DEFAULT 0,
    quota_month date,
    reason text,
    line_request_id text,
    formed_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CHECK (state <> 'attempting' OR first_attempt_at IS NOT NULL)
);
CREATE INDEX multicasts_due ON multicasts (account, next_attempt_at) WHERE state IN ('waiting', 'attempting');

-- `multicast_id`: the group in which a message leaves, or left. Of one under way, key, body and lease are the group's; its
-- own `next_attempt_at` is NULL, so that a dispatcher of an earlier release does not find it either.
ALTER TABLE deliveries ADD COLUMN multicast_id uuid;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_check CHECK (
    state <> 'attempting' OR multicast_id IS NOT NULL
    OR (retry_key IS NOT NULL AND body IS NOT NULL AND first_attempt_at IS NOT NULL)
);

-- What is due by itself, the transactional lane first (its name sorts behind marketing, hence DESC), then by age;
-- and marketing that was never attempted by itself, which may leave with others.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (account, lane DESC, next_attempt_at)
 WHERE state IN ('waiting', 'attempting') AND multicast_id IS NULL AND (lane = 'transactional' OR body IS NOT NULL);
CREATE INDEX deliveries_fresh ON deliveries (account, next_attempt_at)
 WHERE state = 'waiting' AND multicast_id IS NULL AND lane = 'marketing' AND body IS NULL;

-- migrate: rollback
DROP INDEX deliveries_fresh, deliveries_due;
CREATE INDEX deliveries_due ON deliveries (account, lane DESC, next_attempt_at) WHERE state IN ('waiting', 'attempting');
ALTER TABLE deliveries DROP CONSTRAINT deliveries_check;
ALTER TABLE deliveries DROP COLUMN multicast_id;
DROP TABLE multicasts;
