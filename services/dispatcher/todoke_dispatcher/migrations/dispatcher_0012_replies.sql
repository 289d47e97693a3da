-- Replies: messages that leave free of charge, as the answer to what a person did on LINE
-- depends: dispatcher_0003_multicasts dispatcher_0010_published_deliveries

-- migrate: apply
-- Reply tokens that LINE may still take, one a webhook event. They are secrets: `token` is NULL from when a reply takes it, and
-- the row stays until no redelivery can bring it back. All instants are LINE's time.
CREATE TABLE reply_tokens (
    event_key uuid PRIMARY KEY,
    account text NOT NULL,
    user_id text NOT NULL,
    token text,
    received_at timestamptz NOT NULL,
    usable_until timestamptz NOT NULL,
    uses int NOT NULL DEFAULT 0
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX reply_tokens_usable ON reply_tokens (user_id, account) WHERE token IS NOT NULL;
CREATE INDEX reply_tokens_ending ON reply_tokens (usable_until) WHERE token IS NOT NULL;
CREATE INDEX reply_tokens_by_age ON reply_tokens (received_at);

-- One row a request. `members` are message ids in the order in which they stand in `body`, which is the request without its
-- token. `told_until`: when it is unknown if nobody has said how it ended.
CREATE TABLE replies (
    id uuid PRIMARY KEY,
    account text NOT NULL,
    event_key uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('attempting', 'accepted', 'refused', 'dissolved', 'unknown')),
    members uuid[] NOT NULL CHECK (cardinality(members) BETWEEN 1 AND 5),
    body bytea NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    told_until timestamptz NOT NULL,
    reason text,
    line_request_id text,
    begun_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE INDEX replies_attempting ON replies (told_until) WHERE state = 'attempting';

-- `reply_id`: the reply in which a message leaves, or left; its own `next_attempt_at` is NULL meanwhile, so that a dispatcher of
-- an earlier release does not find it either. `reply_refused`: it was in one that LINE refused, and rides in no other.
ALTER TABLE deliveries ADD COLUMN reply_id uuid, ADD COLUMN reply_refused bool NOT NULL DEFAULT false;

-- What is there satisfied more than this: nothing needs to be looked through while the table is locked.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_check CHECK (
    state <> 'attempting' OR multicast_id IS NOT NULL OR reply_id IS NOT NULL
    OR (retry_key IS NOT NULL AND body IS NOT NULL AND first_attempt_at IS NOT NULL)
) NOT VALID;

-- What of a person may ride. A hash: a third of what a tree costs to keep, and every message comes by here.
CREATE INDEX deliveries_of_user ON deliveries USING hash (user_id) WHERE state IN ('waiting', 'held');

-- Published as before, and `via`: how what LINE has, or may have, left. NULL for rich menus, and before.
CREATE OR REPLACE VIEW published_deliveries AS
SELECT message_id, account, lane, shop, person_id, campaign,
       coalesce(enrolment_id, (convert_from(request, 'UTF8')::jsonb ->> 'enrolment')::uuid) AS enrolment_id,
       coalesce(step, convert_from(request, 'UTF8')::jsonb ->> 'step') AS step,
       state, reason, changed_at AS at, received_at,
       (convert_from(request, 'UTF8')::jsonb ->> 'due_at')::timestamptz AS due_at,
       CASE WHEN state NOT IN ('accepted', 'unknown') THEN NULL
            WHEN reply_id IS NOT NULL THEN 'reply'
            WHEN multicast_id IS NOT NULL THEN 'multicast'
            WHEN quota_month IS NOT NULL THEN 'push' END AS via
  FROM deliveries;

-- migrate: rollback
DROP VIEW published_deliveries;
CREATE VIEW published_deliveries AS
SELECT message_id, account, lane, shop, person_id, campaign,
       coalesce(enrolment_id, (convert_from(request, 'UTF8')::jsonb ->> 'enrolment')::uuid) AS enrolment_id,
       coalesce(step, convert_from(request, 'UTF8')::jsonb ->> 'step') AS step,
       state, reason, changed_at AS at, received_at,
       (convert_from(request, 'UTF8')::jsonb ->> 'due_at')::timestamptz AS due_at
  FROM deliveries;
DROP INDEX deliveries_of_user;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_check CHECK (
    state <> 'attempting' OR multicast_id IS NOT NULL
    OR (retry_key IS NOT NULL AND body IS NOT NULL AND first_attempt_at IS NOT NULL)
);
ALTER TABLE deliveries DROP COLUMN reply_id, DROP COLUMN reply_refused;
DROP TABLE replies, reply_tokens;
