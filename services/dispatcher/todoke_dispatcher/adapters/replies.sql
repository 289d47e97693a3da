-- name: add_tokens!
-- Tokens by their events. Of one that is delivered again the row stays, so that what a reply has taken stays taken.
INSERT INTO reply_tokens AS t (event_key, account, user_id, token, received_at, usable_until)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[])
ON CONFLICT (event_key) DO UPDATE SET usable_until = greatest(t.usable_until, excluded.usable_until);

-- name: find_tokens
-- What these people's account may be answered with. They are locked when one is taken.
SELECT event_key AS event, account, user_id AS user, token, received_at, usable_until, uses
  FROM reply_tokens
 WHERE account = $1 AND user_id = any($2::text[]) AND token IS NOT NULL AND usable_until > $3;

-- name: find_idle
-- People of these accounts whose tokens came before $2 and for whom something waits, those first whose token ends first.
-- $3: now, of LINE's time.
SELECT t.account, t.user_id
  FROM reply_tokens t JOIN channels c USING (account)
 WHERE t.token IS NOT NULL AND t.usable_until > $3 AND t.received_at <= $2
   AND t.account = any($1::text[]) AND c.stopped IS NULL AND c.paused_until <= $3
   AND EXISTS (SELECT FROM deliveries d
                WHERE d.user_id = t.user_id AND d.account = t.account AND d.state IN ('waiting', 'held')
                  AND d.next_attempt_at <= $3 AND d.quota_month IS NULL AND NOT d.ambiguous AND NOT d.reply_refused)
 ORDER BY t.usable_until
 LIMIT $4;

-- name: lock_riders
-- Of each of the people $2 the first few messages that may ride by $4: the transactional lane, then what came since $3 and
-- may be the answer to the token's event, then by age.
SELECT d.*
  FROM unnest($2::text[], $3::timestamptz[]) AS u (user_id, answered_from)
 CROSS JOIN LATERAL (
    SELECT message_id, lane, request, state, epoch, retry_key, body, ambiguous, first_attempt_at, next_attempt_at, attempts,
           claims, quota_month, reason, line_request_id
      FROM deliveries
     WHERE user_id = u.user_id AND account = $1 AND state IN ('waiting', 'held') AND next_attempt_at <= $4
       AND quota_month IS NULL AND NOT ambiguous AND NOT reply_refused
     ORDER BY lane DESC, next_attempt_at < u.answered_from, next_attempt_at
     LIMIT 10
       FOR UPDATE SKIP LOCKED
 ) d;

-- name: take_tokens
-- From here on nobody else finds them; the token itself is forgotten. Gives those that were still there.
UPDATE reply_tokens t SET token = NULL, uses = uses + 1
  FROM (SELECT event_key FROM reply_tokens WHERE event_key = any($1::uuid[]) AND token IS NOT NULL FOR UPDATE SKIP LOCKED)
    AS free
 WHERE t.event_key = free.event_key
RETURNING t.event_key, t.uses;

-- name: return_tokens!
-- Tokens of replies that were never asked for.
UPDATE reply_tokens t SET token = r.token
  FROM unnest($1::uuid[], $2::text[]) AS r (event_key, token)
 WHERE t.event_key = r.event_key AND t.token IS NULL;

-- name: add_reply!
-- A reply with its messages and content, before its one attempt.
INSERT INTO replies (id, account, event_key, members, body, told_until, state, begun_at, changed_at)
VALUES ($2, $3, $4, $5, $6, $7, 'attempting', $1, $1);

-- name: join_replies!
-- The messages of new replies; they are locked by lock_riders.
UPDATE deliveries d
   SET state = 'attempting', reply_id = r.id, claims = d.claims + 1, next_attempt_at = NULL, reason = NULL, changed_at = $1
  FROM replies r CROSS JOIN LATERAL unnest(r.members) AS member (message_id)
 WHERE r.id = any($2::uuid[]) AND d.message_id = member.message_id;

-- name: lock_lost
-- Replies of which nobody has told in time how they ended.
SELECT id, account, event_key AS event, members, body
  FROM replies WHERE state = 'attempting' AND told_until <= $1 ORDER BY told_until LIMIT $2 FOR UPDATE SKIP LOCKED;

-- name: store_replies
-- What became of replies; the first to tell is right.
UPDATE replies r
   SET state = c.state, attempts = c.attempts, reason = c.reason, line_request_id = c.line_request_id, changed_at = $1
  FROM unnest($2::uuid[], $3::text[], $4::int[], $5::text[], $6::text[])
    AS c (id, state, attempts, reason, line_request_id)
 WHERE r.id = c.id AND r.state = 'attempting'
RETURNING r.id;

-- name: settle_riders
-- The messages of replies that LINE has taken, or may have taken, in the state $3; their requests, for the outcomes.
UPDATE deliveries d
   SET state = $3, attempts = d.attempts + r.attempts, first_attempt_at = r.begun_at, reason = r.reason,
       line_request_id = r.line_request_id, changed_at = $1
  FROM replies r CROSS JOIN LATERAL unnest(r.members) AS member (message_id)
 WHERE r.id = any($2::uuid[]) AND d.message_id = member.message_id AND d.reply_id = r.id
RETURNING d.message_id, d.request, r.reason, r.line_request_id, d.lane;

-- name: free_riders!
-- The messages of replies that LINE has not taken: each waits for itself, in the state $3 and with the age that it has.
UPDATE deliveries d
   SET state = $3, reply_id = NULL, reply_refused = d.reply_refused OR r.state = 'refused',
       attempts = d.attempts + r.attempts, next_attempt_at = d.received_at, changed_at = $1
  FROM replies r CROSS JOIN LATERAL unnest(r.members) AS member (message_id)
 WHERE r.id = any($2::uuid[]) AND d.message_id = member.message_id AND d.reply_id = r.id;

-- name: purge_tokens!
-- Tokens that are over, and what is left of taken ones once no redelivery can bring them back.
DELETE FROM reply_tokens
 WHERE (token IS NOT NULL AND usable_until <= $1) OR received_at <= $1::timestamptz - interval '21 minutes';
