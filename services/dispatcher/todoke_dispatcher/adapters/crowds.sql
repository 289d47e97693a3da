-- name: add_crowd!
-- One that is known already stays as it is.
INSERT INTO crowds (id, account, shop, campaign, step, message_ids, user_ids, people, enrolments, request, expires_at,
                    next_attempt_at, received_at, changed_at)
VALUES ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $1, $1, $1)
ON CONFLICT (id) DO NOTHING;

-- name: lock_waiting_crowds
-- Those of an account that wait, the oldest first.
SELECT id, account, shop, campaign, step, message_ids, user_ids, people, enrolments, request, expires_at
  FROM crowds
 WHERE account = $1 AND state = 'waiting' AND next_attempt_at <= $2
 ORDER BY next_attempt_at
 LIMIT $3
   FOR UPDATE SKIP LOCKED;

-- name: blocked_in_crowds
-- Which of their members are known not to be friends.
SELECT c.id, f.user_id
  FROM crowds c CROSS JOIN LATERAL unnest(c.user_ids) AS member (user_id)
  JOIN segmenter.friends f ON (f.account, f.user_id) = (c.account, member.user_id) AND f.shop = c.shop
 WHERE c.id = any($1::uuid[]) AND NOT f.is_friend;

-- name: put_off_crowds!
-- What this release cannot read waits for one that can.
UPDATE crowds SET next_attempt_at = $2 WHERE id = any($1::uuid[]);

-- name: shrink_crowd!
-- Some of its members have rows of their own now.
UPDATE crowds SET message_ids = $2, user_ids = $3, people = $4, enrolments = $5 WHERE id = $1;

-- name: form_crowds!
-- They leave as these multicasts.
UPDATE crowds c SET state = 'formed', multicast_id = f.multicast_id, changed_at = $1
  FROM unnest($2::uuid[], $3::uuid[]) AS f (id, multicast_id)
 WHERE c.id = f.id;

-- name: accept_crowds
-- LINE has taken them.
UPDATE crowds SET state = 'accepted', changed_at = $1
 WHERE id = any($2::uuid[]) AND state = 'formed'
RETURNING campaign, cardinality(message_ids) AS messages;

-- name: crowds_to_open
-- Whole crowds whose members are to have rows.
SELECT id, account, shop, campaign, step, message_ids, user_ids, people, enrolments, request, expires_at, received_at
  FROM crowds
 WHERE id = any($1::uuid[]) AND state IN ('waiting', 'formed')
   FOR UPDATE;

-- name: open_crowds
-- Their members have rows of their own.
WITH opened AS (
    UPDATE crowds SET state = 'opened', message_ids = '{}', user_ids = '{}', people = '{}', enrolments = '{}', changed_at = $1
     WHERE id = any($2::uuid[])
)
UPDATE multicasts SET crowd_id = NULL WHERE id = any($3::uuid[]) RETURNING id;

-- name: lock_untold
-- Crowds that LINE has taken, the longest ago first, and what it said.
SELECT c.id, c.account, c.shop, c.campaign, c.step, c.message_ids, c.user_ids, c.people, c.enrolments, c.request,
       c.expires_at, m.reason, m.line_request_id
  FROM crowds c JOIN multicasts m ON m.id = c.multicast_id
 WHERE c.state = 'accepted'
 ORDER BY c.changed_at
 LIMIT $1
   FOR UPDATE OF c SKIP LOCKED;

-- name: told!
-- Their outcomes are in the outbox.
UPDATE crowds SET state = 'told' WHERE id = any($1::uuid[]);
