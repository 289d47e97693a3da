-- Idempotency keys of POST /v1/events, and what each was first used for
-- depends:

-- migrate: apply
CREATE TABLE idempotency (
    shop text NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    taken_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shop, key)
);
CREATE INDEX idempotency_by_age ON idempotency (taken_at);

-- migrate: rollback
DROP TABLE idempotency;
