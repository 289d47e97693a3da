-- What became of each message, for the scheduler's reports and `todoke explain`
-- depends: dispatcher_0001_ledger

-- migrate: apply
-- So that a report of one campaign neither reads the others nor opens requests. NULL for messages from before, and for
-- those that no campaign owed.
ALTER TABLE deliveries ADD COLUMN step text, ADD COLUMN enrolment_id uuid;
CREATE INDEX deliveries_of_campaign ON deliveries (campaign, received_at) WHERE campaign IS NOT NULL;

-- Published. `step`: the message's name in its campaign. `at`: since when it is in its state; `at` and `received_at` are
-- LINE's time, `due_at` the shop's.
CREATE VIEW published_deliveries AS
SELECT message_id, account, lane, shop, person_id, campaign,
       coalesce(enrolment_id, (convert_from(request, 'UTF8')::jsonb ->> 'enrolment')::uuid) AS enrolment_id,
       coalesce(step, convert_from(request, 'UTF8')::jsonb ->> 'step') AS step,
       state, reason, changed_at AS at, received_at,
       (convert_from(request, 'UTF8')::jsonb ->> 'due_at')::timestamptz AS due_at
  FROM deliveries;

-- migrate: rollback
DROP VIEW published_deliveries;
DROP INDEX deliveries_of_campaign;
ALTER TABLE deliveries DROP COLUMN step, DROP COLUMN enrolment_id;
