-- name: unknown_deliveries
-- What waits for an operator, the longest first. $1: an account, or NULL for all; $2: how many at most.
SELECT d.message_id, d.account, d.lane, d.campaign,
       coalesce(d.step, convert_from(d.request, 'UTF8')::jsonb ->> 'step') AS step, d.person_id, d.multicast_id,
       d.reply_id, d.first_attempt_at, d.changed_at, d.attempts, d.reason, count(*) OVER () AS all_unknown,
       count(*) OVER (PARTITION BY coalesce(d.multicast_id, d.reply_id)) AS together
  FROM deliveries d
 WHERE d.state = 'unknown' AND ($1::text IS NULL OR d.account = $1)
 ORDER BY d.first_attempt_at, d.message_id
 LIMIT $2;

-- name: lock_named
-- The message of this id, or those that left in the multicast or the reply of this id, in one order; locked.
SELECT message_id, lane, request, state, epoch, retry_key, body, ambiguous, first_attempt_at, next_attempt_at, attempts,
       claims, quota_month, reason, line_request_id
  FROM deliveries
 WHERE message_id IN (
        SELECT $1 UNION SELECT unnest(members) FROM multicasts WHERE id = $1
        UNION SELECT unnest(members) FROM replies WHERE id = $1
       )
   AND $1 IN (message_id, multicast_id, reply_id)
 ORDER BY message_id
   FOR UPDATE;

-- name: end_unknown!
-- An operator's decision that needs no request to LINE; their place in the month stays counted.
UPDATE deliveries SET state = $3, ambiguous = false, next_attempt_at = NULL, reason = $4, changed_at = $2
 WHERE message_id = any($1::uuid[]) AND state = 'unknown';

-- name: note_settlements!
-- Who decided what, and why. One decision for each epoch of a message.
INSERT INTO settlements (decided_at, decision, decided_by, reason, message_id, epoch)
SELECT $1, $2, $3, $4, message_id, epoch FROM unnest($5::uuid[], $6::int[]) AS s (message_id, epoch);
