-- The simulated clock of replays and demos
-- depends:

-- migrate: apply
CREATE TABLE simulated_clock (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    starts_at timestamptz NOT NULL,
    set_at timestamptz NOT NULL,
    rate double precision NOT NULL CHECK (rate > 0)
);

-- migrate: rollback
DROP TABLE simulated_clock;
