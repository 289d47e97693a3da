-- What operators have decided about messages that were unknown
-- depends: dispatcher_0001_ledger

-- migrate: apply
-- One row a decision, for as long as the ledger: who, why, and when by LINE's time. A message that is sent again begins a
-- new epoch, and may become unknown in that one, too.
CREATE TABLE settlements (
    message_id uuid NOT NULL,
    epoch int NOT NULL,
    decision text NOT NULL CHECK (decision IN ('accepted', 'resend', 'drop')),
    decided_by text NOT NULL CHECK (decided_by <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (message_id, epoch)
);

-- migrate: rollback
DROP TABLE settlements;
