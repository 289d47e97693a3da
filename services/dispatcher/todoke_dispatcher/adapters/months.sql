-- name: read_months
-- How each account's month stands.
SELECT account, line_limit, line_used, line_ours, line_at, told FROM quotas WHERE month = $1 AND account = any($2::text[]);

-- name: read_days
-- What the days since $2 have added to their months.
SELECT account, day, messages FROM quota_days WHERE account = any($1::text[]) AND day >= $2;

-- name: read_all_campaigns
-- What every campaign has reserved of the month.
SELECT campaign, messages, told FROM campaign_quotas WHERE month = $1;

-- name: read_unplaced
-- Messages without a place in a month: those that wait, and those that are held. One part for each of the indexes.
SELECT account, campaign, lane, state, count(*) AS messages FROM (
    SELECT account, campaign, lane, state FROM deliveries WHERE state = 'held'
    UNION ALL
    SELECT account, campaign, lane, state FROM deliveries
     WHERE state IN ('waiting', 'attempting') AND multicast_id IS NULL AND (lane = 'transactional' OR body IS NOT NULL)
       AND state = 'waiting' AND quota_month IS NULL
    UNION ALL
    SELECT account, campaign, lane, state FROM deliveries
     WHERE state = 'waiting' AND multicast_id IS NULL AND lane = 'marketing' AND body IS NULL
) AS unplaced
 WHERE account = any($1::text[])
 GROUP BY account, campaign, lane, state;

-- name: read_broadcasts
-- What the scheduler has planned, and is at; times are the shop's.
SELECT campaign, account, due_at, every, messages, messages_left FROM scheduler.published_broadcasts
 WHERE account = any($1::text[]);

-- name: take_turn
-- One dispatcher asks LINE: whoever moves the instant. The others leave it alone until then.
INSERT INTO quotas AS q (account, month, ask_line_at) VALUES ($1, $2, $4)
ON CONFLICT (account, month) DO UPDATE SET ask_line_at = excluded.ask_line_at WHERE q.ask_line_at <= $3
RETURNING account;

-- name: store_line
-- LINE's word beside ours, in one statement: what is reserved while LINE is asked is in `ours`, so that nothing of ours
-- is taken for somebody else's.
UPDATE quotas
   SET line_limit = $3, line_used = $4::bigint, line_ours = transactional + marketing, line_at = $5, ask_line_at = $6,
       elsewhere = greatest(0, $4 - transactional - marketing)
 WHERE account = $1 AND month = $2
RETURNING transactional + marketing AS ours;

-- name: tell_account
-- One dispatcher tells: whoever moves the percentage.
UPDATE quotas SET told = $4 WHERE account = $1 AND month = $2 AND told = $3 RETURNING account;

-- name: tell_campaign
-- The same for a campaign's budget.
UPDATE campaign_quotas SET told = $4 WHERE campaign = $1 AND month = $2 AND told = $3 RETURNING campaign;
