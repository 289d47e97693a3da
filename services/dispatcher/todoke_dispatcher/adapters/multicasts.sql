-- name: lock_fresh
-- Marketing that was never attempted by itself, the oldest first, and whether its recipient is known not to be a friend.
SELECT message_id, request, epoch, claims, attempts, next_attempt_at, expires_at,
       EXISTS (SELECT FROM segmenter.friends f
                WHERE f.shop = d.shop AND f.account = d.account AND f.user_id = d.user_id AND NOT f.is_friend)
           AS has_blocked
  FROM deliveries d
 WHERE account = $1 AND lane = 'marketing' AND state = 'waiting' AND body IS NULL AND multicast_id IS NULL
   AND next_attempt_at <= $2
 ORDER BY next_attempt_at
 LIMIT $3
   FOR UPDATE OF d SKIP LOCKED;

-- name: add_multicast!
-- A group with its recipients, body and key, before its first attempt.
INSERT INTO multicasts (id, account, members, body, retry_key, parent, expires_at, next_attempt_at, quota_month, crowd_id,
                        campaign, state, formed_at, changed_at)
VALUES ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'waiting', $1, $1);

-- name: join_multicasts!
-- The members of new groups, whole groups at a time. They are locked by lock_fresh, or are their group's already.
UPDATE deliveries d
   SET state = 'attempting', multicast_id = m.id, claims = d.claims + 1, quota_month = m.quota_month,
       next_attempt_at = NULL, reason = NULL, changed_at = $1
  FROM multicasts m CROSS JOIN LATERAL unnest(m.members) AS member (message_id)
 WHERE m.id = any($2::uuid[]) AND d.message_id = member.message_id;

-- name: lock_due_multicasts
-- Groups to ask LINE about, the oldest first. A lease that has run out is due like a retry.
SELECT id, account, members, body, retry_key, state, parent, expires_at, ambiguous, first_attempt_at, next_attempt_at,
       attempts, claims, quota_month, campaign, reason, line_request_id, crowd_id AS crowd
  FROM multicasts
 WHERE account = $1 AND state IN ('waiting', 'attempting') AND next_attempt_at <= $2
 ORDER BY next_attempt_at
 LIMIT $3
   FOR UPDATE SKIP LOCKED;

-- name: recalled_multicasts
-- Which of these groups hold a message that its campaign owed no later than it recalled what it owed. Those formed after $3
-- were formed by who knew it, unless they are a half of one that was not.
SELECT m.id
  FROM multicasts m JOIN unnest($1::uuid[], $2::timestamptz[]) AS r (id, recalled_at) USING (id)
 WHERE m.id = any($1) AND (m.formed_at <= $3 OR m.parent IS NOT NULL)
   AND EXISTS (
        SELECT FROM (
            SELECT request FROM deliveries WHERE message_id = any(m.members) AND m.crowd_id IS NULL
            UNION ALL
            SELECT request FROM crowds c WHERE c.id = m.crowd_id
        ) AS owed
         WHERE (convert_from(owed.request, 'UTF8')::jsonb ->> 'due_at')::timestamptz <= r.recalled_at
   );

-- name: lock_over_multicasts
-- Groups that LINE may have taken at $2 or before, and nobody asks about now ($3).
SELECT id, account, members, body, retry_key, state, parent, expires_at, ambiguous, first_attempt_at, next_attempt_at,
       attempts, claims, quota_month, campaign, reason, line_request_id, crowd_id AS crowd
  FROM multicasts
 WHERE account = $1 AND state = 'attempting' AND ambiguous AND first_attempt_at <= $2 AND next_attempt_at <= $3
 ORDER BY next_attempt_at
 LIMIT 100
   FOR UPDATE SKIP LOCKED;

-- name: begin_multicasts!
-- Before the requests go out; the rows are locked by lock_due_multicasts.
UPDATE multicasts m
   SET state = 'attempting', ambiguous = true, first_attempt_at = a.first_attempt_at,
       next_attempt_at = a.next_attempt_at, claims = a.claims, quota_month = a.quota_month, reason = NULL,
       changed_at = $1
  FROM unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::int[], $6::date[])
    AS a (id, first_attempt_at, next_attempt_at, claims, quota_month)
 WHERE m.id = a.id;

-- name: store_multicasts
-- What became of groups, fenced as store_changes is.
UPDATE multicasts m
   SET state = c.state, ambiguous = c.ambiguous, next_attempt_at = c.next_attempt_at, attempts = c.attempts,
       quota_month = c.quota_month, reason = c.reason, line_request_id = c.line_request_id, changed_at = $1
  FROM unnest($2::uuid[], $3::int[], $4::text[], $5::bool[], $6::timestamptz[], $7::int[], $8::date[], $9::text[],
              $10::text[])
    AS c (id, claims, state, ambiguous, next_attempt_at, attempts, quota_month, reason, line_request_id)
 WHERE m.id = c.id
   AND m.state IN ('waiting', 'attempting')
   AND (m.claims = c.claims OR c.state = 'accepted')
RETURNING m.id;

-- name: settle_members
-- The members of groups that LINE has taken, or may have taken, in the state $3; their requests, for the outcomes.
UPDATE deliveries d
   SET state = $3, attempts = d.attempts + m.attempts, first_attempt_at = m.first_attempt_at,
       quota_month = m.quota_month, reason = m.reason, line_request_id = m.line_request_id, changed_at = $1
  FROM multicasts m CROSS JOIN LATERAL unnest(m.members) AS member (message_id)
 WHERE m.id = any($2::uuid[]) AND d.message_id = member.message_id AND d.multicast_id = m.id
RETURNING d.message_id, d.request, m.reason, m.line_request_id;

-- name: free_members!
-- The members of groups that are dissolved: each waits for itself, in the state $3 and with the age that it has.
UPDATE deliveries d
   SET state = $3, multicast_id = NULL, quota_month = NULL, next_attempt_at = d.received_at, changed_at = $1
  FROM multicasts m CROSS JOIN LATERAL unnest(m.members) AS member (message_id)
 WHERE m.id = any($2::uuid[]) AND d.message_id = member.message_id AND d.multicast_id = m.id;

-- name: leave_alone!
-- Messages that are the only ones left of a refused group. With a body of its own, each is pushed and never grouped again;
-- the group's place in the month $5 is theirs now.
UPDATE deliveries d
   SET state = $2, multicast_id = NULL, body = a.body, quota_month = $5, next_attempt_at = d.received_at, changed_at = $1
  FROM unnest($3::uuid[], $4::bytea[]) AS a (message_id, body)
 WHERE d.message_id = a.message_id;
