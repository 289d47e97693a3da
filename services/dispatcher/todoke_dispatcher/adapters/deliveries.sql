-- name: add_deliveries!
-- The ledger is the inbox: a message that is known already stays as it is. Sorted by the caller, so that two batches
-- with the same messages wait for each other in one order.
INSERT INTO deliveries (message_id, account, lane, shop, user_id, person_id, campaign, step, enrolment_id, request,
                        expires_at, next_attempt_at, received_at, changed_at)
SELECT message_id, account, $1, shop, user_id, person_id, campaign, step, enrolment_id, request, expires_at, received_at,
       received_at, $2
  FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::text[], $10::uuid[],
              $11::bytea[], $12::timestamptz[], $13::timestamptz[])
    AS r (message_id, account, shop, user_id, person_id, campaign, step, enrolment_id, request, expires_at, received_at)
ON CONFLICT (message_id) DO NOTHING;

-- name: lock_due
-- What an account may push: the transactional lane first, then the oldest. A lease that has run out is due like a retry.
-- Marketing that was never attempted by itself is not here: it may leave with others (lock_fresh in multicasts.sql).
SELECT message_id, lane, request, state, epoch, retry_key, body, ambiguous, first_attempt_at, next_attempt_at, attempts,
       claims, quota_month, reason, line_request_id
  FROM deliveries
 WHERE account = $1 AND state IN ('waiting', 'attempting') AND multicast_id IS NULL
   AND (lane = 'transactional' OR body IS NOT NULL) AND next_attempt_at <= $2
 ORDER BY lane DESC, next_attempt_at
 LIMIT $3
   FOR UPDATE SKIP LOCKED;

-- name: lock_over
-- What LINE may have taken at $2 or before, and nobody asks about now ($3).
SELECT message_id, lane, request, state, epoch, retry_key, body, ambiguous, first_attempt_at, next_attempt_at, attempts,
       claims, quota_month, reason, line_request_id
  FROM deliveries
 WHERE account = $1 AND state = 'attempting' AND multicast_id IS NULL AND (lane = 'transactional' OR body IS NOT NULL)
   AND ambiguous AND first_attempt_at <= $2 AND next_attempt_at <= $3
 ORDER BY next_attempt_at
 LIMIT 1000
   FOR UPDATE SKIP LOCKED;

-- name: blocked
-- Which of these people are known not to be friends. Somebody unknown may still be sent to: LINE also pushes to a
-- non-friend who wrote within 7 days.
SELECT f.account, f.user_id
  FROM unnest($1::text[], $2::text[], $3::text[]) AS p (shop, account, user_id)
  JOIN segmenter.friends f USING (shop, account, user_id)
 WHERE NOT f.is_friend;

-- name: put_off!
-- What this release cannot read waits for one that can, and holds up nobody.
UPDATE deliveries SET next_attempt_at = $2 WHERE message_id = any($1::uuid[]);

-- name: begin_attempts!
-- Key and exact body are stored before the request goes out; the rows are locked by lock_due.
UPDATE deliveries d
   SET state = 'attempting', retry_key = a.retry_key, body = a.body, ambiguous = true,
       first_attempt_at = a.first_attempt_at, next_attempt_at = a.next_attempt_at, claims = a.claims,
       quota_month = a.quota_month, reason = NULL, changed_at = $1
  FROM unnest($2::uuid[], $3::uuid[], $4::bytea[], $5::timestamptz[], $6::timestamptz[], $7::int[], $8::date[])
    AS a (message_id, retry_key, body, first_attempt_at, next_attempt_at, claims, quota_month)
 WHERE d.message_id = a.message_id;

-- name: store_changes
-- What became of deliveries. A dispatcher that slept past its lease finds another number in `claims` and changes
-- nothing, except that an acceptance is the truth whoever brings it.
UPDATE deliveries d
   SET state = c.state, ambiguous = c.ambiguous, next_attempt_at = c.next_attempt_at, attempts = c.attempts,
       quota_month = c.quota_month, reason = c.reason, line_request_id = c.line_request_id, changed_at = $1
  FROM unnest($2::uuid[], $3::int[], $4::text[], $5::bool[], $6::timestamptz[], $7::int[], $8::date[], $9::text[],
              $10::text[])
    AS c (message_id, claims, state, ambiguous, next_attempt_at, attempts, quota_month, reason, line_request_id)
 WHERE d.message_id = c.message_id
   AND d.state IN ('waiting', 'attempting')
   AND (d.claims = c.claims OR c.state = 'accepted')
RETURNING d.message_id;

-- name: release_held
-- The oldest held messages of a lane whose channel may send again, of a campaign $5 at most its room $6. Each campaign is
-- found by a step along the index, and its messages by themselves: those of one without room are not even read.
WITH RECURSIVE campaigns AS (
    (SELECT coalesce(campaign, '') AS campaign FROM deliveries
      WHERE account = $1 AND lane = $2 AND state = 'held' ORDER BY coalesce(campaign, '') LIMIT 1)
    UNION ALL
    SELECT (SELECT coalesce(d.campaign, '') FROM deliveries d
             WHERE d.account = $1 AND d.lane = $2 AND d.state = 'held' AND coalesce(d.campaign, '') > c.campaign
             ORDER BY coalesce(d.campaign, '') LIMIT 1)
      FROM campaigns c WHERE c.campaign IS NOT NULL
), oldest AS (
    SELECT of_one.message_id
      FROM campaigns c
      LEFT JOIN unnest($5::text[], $6::bigint[]) AS r (campaign, room) USING (campaign)
     CROSS JOIN LATERAL (
        SELECT message_id FROM deliveries d
         WHERE d.account = $1 AND d.lane = $2 AND d.state = 'held' AND coalesce(d.campaign, '') = c.campaign
         ORDER BY next_attempt_at LIMIT least(r.room, $4::bigint)
     ) AS of_one
)
UPDATE deliveries SET state = 'waiting', next_attempt_at = $3, reason = NULL, changed_at = $3
 WHERE message_id IN (
    SELECT d.message_id FROM oldest JOIN deliveries d USING (message_id) WHERE d.state = 'held'
     ORDER BY d.next_attempt_at LIMIT $4::bigint FOR UPDATE OF d SKIP LOCKED
 )
RETURNING message_id;

-- name: release_expired
-- Held messages that are no longer useful ($1: the shop's time): the next claim drops them.
UPDATE deliveries SET state = 'waiting', next_attempt_at = $2, reason = NULL, changed_at = $2
 WHERE message_id IN (
    SELECT message_id FROM deliveries WHERE state = 'held' AND expires_at < $1 LIMIT $3 FOR UPDATE SKIP LOCKED
 )
RETURNING message_id;

-- name: resend_unknown
-- An operator's decision: a new epoch, so a new retry key, and to LINE a new, paid message with its own
-- place in the month; the old place stays counted.
UPDATE deliveries
   SET state = 'waiting', epoch = epoch + 1, retry_key = NULL, body = NULL, ambiguous = false, first_attempt_at = NULL,
       next_attempt_at = $2, quota_month = NULL, multicast_id = NULL, reply_id = NULL, reason = NULL, changed_at = $2
 WHERE message_id = any($1::uuid[]) AND state = 'unknown'
RETURNING message_id;

-- name: count_unsettled
-- For the gauge of what waits.
SELECT lane, sum(messages)::bigint AS deliveries FROM (
    SELECT lane, count(*) AS messages FROM deliveries WHERE state IN ('waiting', 'attempting') GROUP BY lane
    UNION ALL
    SELECT 'marketing', sum(cardinality(message_ids)) FROM crowds WHERE state IN ('waiting', 'formed') HAVING count(*) > 0
) AS unsettled GROUP BY lane;
