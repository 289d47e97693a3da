-- Keys of the doors: their hashes alone
-- depends:

-- migrate: apply
-- A shop has two slots for a purpose, one key in each: never more than two keys, whoever inserts at the same moment.
-- A key that has expired keeps its slot until the next command takes it away.
CREATE TABLE keys (
    key_hash bytea PRIMARY KEY CHECK (octet_length(key_hash) = 32),
    hint text NOT NULL UNIQUE,
    shop text NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('events', 'segment', 'browser')),
    slot smallint NOT NULL CHECK (slot IN (1, 2)),
    origins text[] NOT NULL DEFAULT '{}',
    per_second int NOT NULL CHECK (per_second BETWEEN 1 AND 1000000),
    burst int NOT NULL CHECK (burst BETWEEN 1 AND 1000000),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    UNIQUE (shop, purpose, slot)
);

-- migrate: rollback
DROP TABLE keys;
