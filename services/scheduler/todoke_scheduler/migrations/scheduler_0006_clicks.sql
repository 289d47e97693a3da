-- Who has followed a link of which message, for reports: the first time alone
-- depends: scheduler_0001_campaigns_and_timers

-- migrate: apply
CREATE TABLE clicks (
    message_id uuid PRIMARY KEY,
    campaign text NOT NULL,
    at timestamptz NOT NULL
);

-- migrate: rollback
DROP TABLE clicks;
