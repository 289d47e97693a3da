-- Broadcasts: one row an occurrence of a scheduled campaign, how far it has come, and what came of it
-- depends: scheduler_0002_timers_by_day

-- migrate: apply
-- `cursor`: the ids up to this one were reached. `next_at`: when to go on. `version` and `rate` from its beginning on.
-- `opened_at`, `opened_from`: when quiet hours were over, and where it stood then. `looked_at`: ids; `entered`: people,
-- of whom `asked` get the message, `holdout` are compared, and `left_out` were not to get it.
CREATE TABLE broadcasts (
    broadcast_id uuid PRIMARY KEY,
    campaign text NOT NULL,
    version int,
    due_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'running', 'done', 'cancelled')),
    reason text,
    cursor uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    next_at timestamptz NOT NULL,
    rate int,
    opened_at timestamptz,
    opened_from uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    looked_at bigint NOT NULL DEFAULT 0,
    entered bigint NOT NULL DEFAULT 0,
    holdout bigint NOT NULL DEFAULT 0,
    left_out bigint NOT NULL DEFAULT 0,
    started_at timestamptz,
    ended_at timestamptz,
    CHECK (state = 'planned' OR ended_at IS NOT NULL OR (version IS NOT NULL AND started_at IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX broadcasts_to_do ON broadcasts (next_at) WHERE state IN ('planned', 'running');

-- migrate: rollback
DROP TABLE broadcasts;
