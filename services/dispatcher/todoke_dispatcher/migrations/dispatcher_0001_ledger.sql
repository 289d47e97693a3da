-- The delivery ledger, quota and rate of each account, and the tables that make a batch exactly-once
-- depends:

-- migrate: apply
CREATE TABLE consumed (
    cluster text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    before bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (cluster, topic, partition)
);

-- There is no inbox: the ledger knows every message by its id.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard int NOT NULL,
    topic text NOT NULL,
    key bytea,
    value bytea,
    headers jsonb NOT NULL
);
CREATE INDEX outbox_by_shard ON outbox (shard, id);

-- One row a message, for the life of its journey. `request` is the record's value as it came.
-- `next_attempt_at`: when it may be claimed; for one under way, the end of its lease. LINE's time, not the shop's.
CREATE TABLE deliveries (
    message_id uuid PRIMARY KEY,
    account text NOT NULL,
    lane text NOT NULL CHECK (lane IN ('transactional', 'marketing')),
    state text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'attempting', 'accepted', 'failed', 'unknown', 'held', 'dropped')),
    shop text NOT NULL,
    user_id text NOT NULL,
    person_id uuid,
    campaign text,
    request bytea NOT NULL,
    expires_at timestamptz,
    epoch int NOT NULL DEFAULT 0,
    retry_key uuid,
    body bytea,
    ambiguous bool NOT NULL DEFAULT false,
    first_attempt_at timestamptz,
    next_attempt_at timestamptz,
    attempts int NOT NULL DEFAULT 0,
    claims int NOT NULL DEFAULT 0,
    quota_month date,
    reason text,
    line_request_id text,
    received_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CHECK (state <> 'attempting' OR (retry_key IS NOT NULL AND body IS NOT NULL AND first_attempt_at IS NOT NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- What is due, the transactional lane first (its name sorts behind marketing, hence DESC), then by age.
CREATE INDEX deliveries_due ON deliveries (account, lane DESC, next_attempt_at)
 WHERE state IN ('waiting', 'attempting');
CREATE INDEX deliveries_held ON deliveries (account, lane, next_attempt_at) WHERE state = 'held';
CREATE INDEX deliveries_held_until ON deliveries (expires_at) WHERE state = 'held';
CREATE INDEX deliveries_unknown ON deliveries (account) WHERE state = 'unknown';
CREATE INDEX deliveries_of_person ON deliveries (person_id, received_at);

-- `stopped`: why LINE takes nothing from the account; an operator sets it to NULL once that is mended.
-- `paused_until`: LINE asked to slow down.
CREATE TABLE channels (
    account text PRIMARY KEY,
    stopped text,
    paused_until timestamptz NOT NULL DEFAULT '-infinity'
);

-- The next free time slot of an endpoint, in microseconds since 1970; `granted` is how many the last taker got.
CREATE TABLE rates (
    account text NOT NULL,
    endpoint text NOT NULL,
    tat bigint NOT NULL DEFAULT 0,
    granted bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account, endpoint)
) WITH (fillfactor = 50);

-- Messages reserved of a month (its first day, Asia/Tokyo). `parked`: LINE said that the month is used up.
CREATE TABLE quotas (
    account text NOT NULL,
    month date NOT NULL,
    transactional bigint NOT NULL DEFAULT 0 CHECK (transactional >= 0),
    marketing bigint NOT NULL DEFAULT 0 CHECK (marketing >= 0),
    parked text CHECK (parked IN ('marketing', 'all')),
    PRIMARY KEY (account, month)
) WITH (fillfactor = 50);

-- migrate: rollback
DROP TABLE quotas, rates, channels, deliveries, outbox, consumed;
