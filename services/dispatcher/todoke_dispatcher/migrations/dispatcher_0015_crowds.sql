-- Crowds: messages that were asked for together and leave together, a row for all of them
-- depends: dispatcher_0003_multicasts dispatcher_0010_published_deliveries

-- migrate: apply
-- One row a request to many. The arrays are the members, in one order; `request` is what their requests have in common.
-- waiting -> formed (its members leave as the multicast `multicast_id`) -> accepted -> told (its outcomes are in the outbox);
-- or opened: its members have rows in `deliveries`, and the arrays are empty.
-- `next_attempt_at`, `received_at` and `changed_at` are LINE's time, `expires_at` the shop's.
CREATE TABLE crowds (
    id uuid PRIMARY KEY,
    account text NOT NULL,
    shop text NOT NULL,
    campaign text,
    step text,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'formed', 'accepted', 'told', 'opened')),
    message_ids uuid[] NOT NULL,
    user_ids text[] NOT NULL,
    people uuid[] NOT NULL,
    enrolments uuid[] NOT NULL,
    request bytea NOT NULL,
    multicast_id uuid,
    expires_at timestamptz,
    next_attempt_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CHECK (state NOT IN ('formed', 'accepted', 'told') OR multicast_id IS NOT NULL)
);
CREATE INDEX crowds_due ON crowds (account, next_attempt_at) WHERE state = 'waiting';
CREATE INDEX crowds_under_way ON crowds (state) WHERE state IN ('waiting', 'formed');
CREATE INDEX crowds_untold ON crowds (changed_at) WHERE state = 'accepted';
CREATE INDEX crowds_of_campaign ON crowds (campaign, received_at);

-- `crowd_id`: its members are those of the crowd, and have no rows.
ALTER TABLE multicasts ADD COLUMN crowd_id uuid;

CREATE OR REPLACE VIEW published_deliveries AS
SELECT message_id, account, lane, shop, person_id, campaign,
       coalesce(enrolment_id, (convert_from(request, 'UTF8')::jsonb ->> 'enrolment')::uuid) AS enrolment_id,
       coalesce(step, convert_from(request, 'UTF8')::jsonb ->> 'step') AS step,
       state, reason, changed_at AS at, received_at,
       (convert_from(request, 'UTF8')::jsonb ->> 'due_at')::timestamptz AS due_at
  FROM deliveries
UNION ALL
SELECT member.message_id, c.account, 'marketing', c.shop, member.person_id, c.campaign, member.enrolment_id, c.step,
       CASE c.state WHEN 'waiting' THEN 'waiting' WHEN 'formed' THEN 'attempting' ELSE 'accepted' END,
       NULL, c.changed_at, c.received_at, (convert_from(c.request, 'UTF8')::jsonb ->> 'due_at')::timestamptz
  FROM crowds c
 CROSS JOIN LATERAL unnest(c.message_ids, c.people, c.enrolments) AS member (message_id, person_id, enrolment_id);

-- migrate: rollback
CREATE OR REPLACE VIEW published_deliveries AS
SELECT message_id, account, lane, shop, person_id, campaign,
       coalesce(enrolment_id, (convert_from(request, 'UTF8')::jsonb ->> 'enrolment')::uuid) AS enrolment_id,
       coalesce(step, convert_from(request, 'UTF8')::jsonb ->> 'step') AS step,
       state, reason, changed_at AS at, received_at,
       (convert_from(request, 'UTF8')::jsonb ->> 'due_at')::timestamptz AS due_at
  FROM deliveries;
ALTER TABLE multicasts DROP COLUMN crowd_id;
DROP TABLE crowds;
