-- The simulated clock of replays and demos
-- depends:

-- migrate: apply
CREATE TABLE simulated_clock (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    starts_at timestamptz NOT NULL,
    set_at timestamptz NOT NULL,
    rate double precision NOT NULL CHECK (rate > 0),
    lives_until timestamptz NOT NULL
);

-- migrate: rollback
DROP TABLE simulated_clock;
