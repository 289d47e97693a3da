-- name: listed_channels
-- Every account, and what keeps its messages from going out. $1: the month that LINE counts now; $2: LINE's time.
SELECT c.account, c.stopped, CASE WHEN c.paused_until > $2 THEN c.paused_until END AS paused_until, q.parked,
       (SELECT count(*) FROM deliveries d WHERE d.account = c.account AND d.state = 'held') AS held,
       (SELECT count(*) FROM deliveries d WHERE d.account = c.account AND d.state = 'unknown') AS unknown
  FROM channels c LEFT JOIN quotas q ON q.account = c.account AND q.month = $1
 ORDER BY c.account;
