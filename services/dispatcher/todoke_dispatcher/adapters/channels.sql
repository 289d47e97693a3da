-- name: add_channels!
-- The rows that every configured account needs.
WITH channel AS (
    INSERT INTO channels (account) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING
)
INSERT INTO rates (account, endpoint)
SELECT account, endpoint FROM unnest($1::text[]) AS account, unnest(ARRAY['multicast', 'push', 'reply', 'rich_menu']) AS endpoint
 ORDER BY account, endpoint
ON CONFLICT DO NOTHING;

-- name: due_channels
-- Accounts that have something due and that LINE has not asked to slow down. No pause is longer than a minute: one that
-- ends later is of a clock that has been set back since. Not EXISTS: of several between OR PostgreSQL makes
-- hashes of all that waits, which with 100,000 messages took longer than the claim. In order, so that it takes the index:
-- else it may look for the first one through all that has long been sent.
SELECT account, stopped
  FROM channels c
 WHERE account = any($1::text[]) AND (paused_until <= $2 OR paused_until > $2::timestamptz + interval '2 minutes')
   AND coalesce(
        (SELECT true FROM deliveries d
          WHERE d.account = c.account AND d.state IN ('waiting', 'attempting') AND d.multicast_id IS NULL
            AND (d.lane = 'transactional' OR d.body IS NOT NULL) AND d.next_attempt_at <= $2
          ORDER BY d.lane DESC, d.next_attempt_at LIMIT 1),
        (SELECT true FROM deliveries d
          WHERE d.account = c.account AND d.lane = 'marketing' AND d.state = 'waiting' AND d.body IS NULL
            AND d.multicast_id IS NULL AND d.next_attempt_at <= $2 ORDER BY d.next_attempt_at LIMIT 1),
        (SELECT true FROM multicasts m
          WHERE m.account = c.account AND m.state IN ('waiting', 'attempting') AND m.next_attempt_at <= $2
          ORDER BY m.next_attempt_at LIMIT 1),
        (SELECT true FROM crowds w
          WHERE w.account = c.account AND w.state = 'waiting' AND w.next_attempt_at <= $2
          ORDER BY w.next_attempt_at LIMIT 1),
        false);

-- name: open_channels
-- Accounts whose held messages may go on.
SELECT account FROM channels WHERE account = any($1::text[]) AND stopped IS NULL;

-- name: take_slots
-- GCRA in one statement, the same as domain/rate.py: slots begin at tat or now, whichever is later, and before the
-- horizon. $3 now, $4 wanted, $5 spacing, $6 horizon, $7 the furthest that tat may be ahead, all times in microseconds.
UPDATE rates
   SET granted = least($4::bigint, greatest(0, ($3::bigint + $6::bigint - least(greatest(tat, $3), $3 + $7::bigint)
                                                + $5::bigint - 1) / $5)),
       tat = least(greatest(tat, $3), $3 + $7)
             + least($4::bigint, greatest(0, ($3 + $6 - least(greatest(tat, $3), $3 + $7) + $5 - 1) / $5)) * $5
 WHERE account = $1 AND endpoint = $2
RETURNING granted, tat - granted * $5 AS first;

-- name: lock_quota
-- The month's row, locked: what is read here is what the reservation is made from.
SELECT transactional, marketing, elsewhere, line_limit, parked FROM quotas
 WHERE account = $1 AND month = $2 FOR UPDATE;

-- name: read_quota
-- The month's row as it stands.
SELECT transactional, marketing, elsewhere, line_limit, parked FROM quotas WHERE account = $1 AND month = $2;

-- name: add_quota!
-- A month begins.
INSERT INTO quotas (account, month) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: reserve_quota
-- Before the attempt, counted for the day $6 too. The condition holds whatever the caller believes: both lanes together
-- never pass the limit $5, nor LINE's own (least: NULL is no limit).
WITH reserved AS (
    UPDATE quotas SET transactional = transactional + $3, marketing = marketing + $4
     WHERE account = $1 AND month = $2
       AND (least($5::bigint, line_limit) IS NULL
            OR transactional + marketing + elsewhere + $3::bigint + $4::bigint <= least($5, line_limit))
    RETURNING account
), counted AS (
    INSERT INTO quota_days AS d (account, day, messages) SELECT account, $6, $3 + $4 FROM reserved
    ON CONFLICT (account, day) DO UPDATE SET messages = d.messages + excluded.messages
)
SELECT account FROM reserved;

-- name: give_back_quota!
-- LINE has definitively not taken these. They leave the day $5, whichever they came with: a month's days add up to it.
WITH given AS (
    UPDATE quotas SET transactional = transactional - $3, marketing = marketing - $4 WHERE account = $1 AND month = $2
    RETURNING account
)
INSERT INTO quota_days AS d (account, day, messages) SELECT account, $5, -($3::bigint + $4::bigint) FROM given
ON CONFLICT (account, day) DO UPDATE SET messages = d.messages + excluded.messages;

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

-- name: unpark
-- An operator knows that LINE takes messages again this month.
UPDATE quotas SET parked = NULL WHERE account = $1 AND month = $2 AND parked IS NOT NULL RETURNING account;
