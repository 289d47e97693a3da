-- name: add_channels!
-- The rows that every configured account needs.
WITH channel AS (
    INSERT INTO channels (account) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING
)
INSERT INTO rates (account, endpoint)
SELECT account, endpoint FROM unnest($1::text[]) AS account, unnest(ARRAY['multicast', 'push', 'rich_menu']) AS endpoint
 ORDER BY account, endpoint
ON CONFLICT DO NOTHING;

-- name: due_channels
-- Accounts that have something due and that LINE has not asked to slow down.
SELECT account, stopped
  FROM channels c
 WHERE account = any($1::text[]) AND paused_until <= $2
   AND (EXISTS (SELECT FROM deliveries d
                 WHERE d.account = c.account AND d.state IN ('waiting', 'attempting') AND d.multicast_id IS NULL
                   AND (d.lane = 'transactional' OR d.body IS NOT NULL) AND d.next_attempt_at <= $2)
        OR EXISTS (SELECT FROM deliveries d
                    WHERE d.account = c.account AND d.lane = 'marketing' AND d.state = 'waiting' AND d.body IS NULL
                      AND d.multicast_id IS NULL AND d.next_attempt_at <= $2)
        OR EXISTS (SELECT FROM multicasts m
                    WHERE m.account = c.account AND m.state IN ('waiting', 'attempting') AND m.next_attempt_at <= $2)
        OR EXISTS (SELECT FROM crowds w
                    WHERE w.account = c.account AND w.state = 'waiting' AND w.next_attempt_at <= $2));

-- name: open_channels
-- Accounts whose held messages may go on.
SELECT account FROM channels WHERE account = any($1::text[]) AND stopped IS NULL;

-- name: take_slots
-- GCRA in one statement, the same as domain/rate.py: slots begin at tat or now, whichever is later, and end before the
-- horizon. $3 now, $4 wanted, $5 spacing, $6 horizon, all times in microseconds.
UPDATE rates
   SET granted = least($4::bigint, greatest(0, ($3::bigint + $6::bigint - greatest(tat, $3)) / $5::bigint)),
       tat = greatest(tat, $3)
             + least($4::bigint, greatest(0, ($3::bigint + $6::bigint - greatest(tat, $3)) / $5::bigint)) * $5
 WHERE account = $1 AND endpoint = $2
RETURNING granted, tat - granted * $5 AS first;

-- name: lock_quota
-- The month's row, locked: what is read here is what the reservation is made from.
SELECT transactional, marketing, parked FROM quotas WHERE account = $1 AND month = $2 FOR UPDATE;

-- name: read_quota
-- The month's row as it stands.
SELECT transactional, marketing, parked FROM quotas WHERE account = $1 AND month = $2;

-- name: add_quota!
-- A month begins.
INSERT INTO quotas (account, month) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: reserve_quota
-- Before the attempt. The condition holds whatever the caller believes: both lanes together never pass the limit.
UPDATE quotas SET transactional = transactional + $3, marketing = marketing + $4
 WHERE account = $1 AND month = $2
   AND ($5::bigint IS NULL OR transactional + marketing + $3::bigint + $4::bigint <= $5)
RETURNING account;

-- name: give_back_quota!
-- LINE has definitively not taken these.
UPDATE quotas SET transactional = transactional - $3, marketing = marketing - $4 WHERE account = $1 AND month = $2;

-- name: park!
-- LINE says that the month is used up; what stands still only grows until the month ends or an operator clears it.
INSERT INTO quotas AS q (account, month, parked) VALUES ($1, $2, $3)
ON CONFLICT (account, month) DO UPDATE SET parked = CASE WHEN q.parked = 'all' THEN 'all' ELSE excluded.parked END;

-- name: stop!
-- LINE refuses the channel's token or rights. The first reason stays: it is the one to mend.
UPDATE channels SET stopped = coalesce(stopped, $2) WHERE account = $1;

-- name: pause!
-- LINE asked to slow down.
UPDATE channels SET paused_until = greatest(paused_until, $2) WHERE account = $1;

-- name: resume!
-- An operator has mended what stopped the channel.
UPDATE channels SET stopped = NULL, paused_until = '-infinity' WHERE account = $1;

-- name: unpark!
-- An operator knows that LINE takes messages again this month.
UPDATE quotas SET parked = NULL WHERE account = $1 AND month = $2;
