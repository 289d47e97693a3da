-- name: scheduled
-- The campaigns in force that have a schedule, and since when.
SELECT c.campaign, c.version, v.published_at
  FROM current_campaigns c JOIN campaign_versions v USING (campaign, version)
 WHERE v.document->'enter' ? 'schedule';

-- name: plan!
-- Occurrences that are due; one that is known stays as it is, done and cancelled ones too.
INSERT INTO broadcasts (broadcast_id, campaign, due_at, next_at)
SELECT broadcast_id, campaign, due_at, due_at FROM unnest($1::uuid[], $2::text[], $3::timestamptz[])
    AS o (broadcast_id, campaign, due_at)
ON CONFLICT (broadcast_id) DO NOTHING;

-- name: expect!
-- How many messages an occurrence will come to, as counted before it began.
UPDATE broadcasts SET expected = $2 WHERE broadcast_id = $1 AND state = 'planned';

-- name: planned
-- What is planned and has not begun.
SELECT b.broadcast_id, b.campaign, c.version, b.due_at
  FROM broadcasts b JOIN current_campaigns c USING (campaign) WHERE b.state = 'planned';

-- name: unplan!
-- Occurrences that there no longer are.
DELETE FROM broadcasts WHERE broadcast_id = any($1::uuid[]) AND state = 'planned';

-- name: claim
-- A broadcast that can go on at $1; whoever has it locked is at work on it. The one that waited longest comes first, so
-- that several take turns.
SELECT broadcast_id, campaign, version, due_at, state, cursor, next_at, rate, opened_at, opened_from, started_at
  FROM broadcasts b
 WHERE state IN ('planned', 'running') AND next_at <= $1
   AND NOT EXISTS (SELECT FROM paused_campaigns p WHERE p.campaign = b.campaign)
 ORDER BY next_at, broadcast_id LIMIT 1 FOR NO KEY UPDATE OF b SKIP LOCKED;

-- name: move!
-- A broadcast as it now stands, and what this chunk adds to its counts.
UPDATE broadcasts
   SET state = $2, version = $3, cursor = $4, next_at = $5, rate = $6, opened_at = $7, opened_from = $8,
       started_at = $9, ended_at = $10, reason = $11, looked_at = looked_at + $12, entered = entered + $13,
       holdout = holdout + $14, left_out = left_out + $15
 WHERE broadcast_id = $1;

-- name: put_off!
-- A broadcast that is not over goes on at $2, and not before.
UPDATE broadcasts SET next_at = $2 WHERE broadcast_id = $1 AND state IN ('planned', 'running');

-- name: audience
-- The next $3 ids after $1, up to $2: those of friends of the account $4 of whom a condition holds, which broadcasts.py
-- puts there, and the last of all, with its place. `refuses`: they said no to marketing; `agrees`: they said yes.
-- $5: their states are wanted, too.
SELECT * FROM (
    SELECT p.person_id, p.current_id, p.shop, f.user_id, true AS refuses, true AS agrees,
           CASE WHEN $5::boolean THEN p.state_text END AS state, f.user_id IS NOT NULL AND true AS matches,
           row_number() OVER ids AS place, lead(p.person_id) OVER ids IS NULL AS is_last
      FROM (SELECT * FROM segmenter.published_states
             WHERE person_id > $1 AND person_id <= $2 ORDER BY person_id LIMIT $3::bigint) AS p
      LEFT JOIN LATERAL (
        SELECT user_id FROM segmenter.friends
         WHERE person_id = p.current_id AND account = $4 AND is_friend ORDER BY user_id LIMIT 1
      ) AS f ON true
    WINDOW ids AS (ORDER BY p.person_id)
) AS ids WHERE matches OR is_last ORDER BY person_id;

-- name: entered_already
-- Which of these runs there are.
SELECT enrolment_id FROM enrolments WHERE enrolment_id = any($1::uuid[]);

-- name: entered_since
-- Which of the people $2 have entered the campaign $1 since $3.
SELECT person_id FROM journeys
 WHERE campaign = $1 AND person_id = any($2::uuid[]) AND key = '' AND entered_at >= $3;

-- name: enrol_at_once!
-- Runs whose steps, $4 of them, are done: $1 to $6 are the same for all.
INSERT INTO enrolments (campaign, version, started_at, due_at, position, status, ends_at, end_reason, key, context,
                        enrolment_id, shop, person_id, holdout)
SELECT $1::text, $2::int, $3::timestamptz, $3::timestamptz, $4::int, 'done', $5::timestamptz, $6::text, '', '{}',
       r.enrolment_id, r.shop, r.person_id, r.holdout
  FROM unnest($7::uuid[], $8::text[], $9::uuid[], $10::boolean[]) AS r (enrolment_id, shop, person_id, holdout);

-- name: ask!
-- Requests in the outbox.
INSERT INTO outbox (shard, topic, key, value, headers)
SELECT r.shard, $1, r.key, r.value, '{}' FROM unnest($2::int[], $3::bytea[], $4::bytea[]) AS r (shard, key, value);

-- name: cancel
-- Stop broadcasts that are not over: one of this id, or all of a campaign of this name. Of one that was over within the day,
-- too, what the dispatcher has not sent is recalled.
UPDATE broadcasts
   SET state = CASE WHEN state = 'done' THEN 'done' ELSE 'cancelled' END, ended_at = coalesce(ended_at, $2),
       reason = 'cancelled by an operator', recalled_at = $2
 WHERE (state IN ('planned', 'running') OR (state = 'done' AND ended_at > $2::timestamptz - interval '1 day'))
   AND (broadcast_id::text = $1 OR campaign = $1)
RETURNING broadcast_id, campaign, due_at, entered;

-- name: list_broadcasts
-- What is planned or running, and the last $1 that are over; the newest first.
SELECT b.*, p.since AS paused_since FROM (
    (SELECT * FROM broadcasts WHERE state IN ('planned', 'running'))
    UNION ALL
    (SELECT * FROM broadcasts WHERE state IN ('done', 'cancelled') ORDER BY due_at DESC LIMIT $1)
) AS b LEFT JOIN paused_campaigns p USING (campaign) ORDER BY b.due_at DESC, b.broadcast_id;
