-- name: add_units!
-- Steps that send for the first time this month. Beyond $6 names LINE counts none, so they get none; two dispatchers at
-- once may step over by a few, which costs nothing.
INSERT INTO units (account, month, unit, campaign, step)
SELECT u.account, $1, u.unit, u.campaign, u.step
  FROM (SELECT *, row_number() OVER (PARTITION BY account ORDER BY unit) AS number
          FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS n (account, unit, campaign, step)
         WHERE NOT EXISTS (SELECT FROM units k WHERE k.account = n.account AND k.month = $1 AND k.unit = n.unit)) AS u
 WHERE u.number + (SELECT count(*) FROM units k WHERE k.account = u.account AND k.month = $1) <= $6
 ORDER BY u.account, u.unit
ON CONFLICT DO NOTHING;

-- name: units_of
-- The units of these accounts in a month.
SELECT account, unit FROM units WHERE month = $1 AND account = any($2::text[]);

-- name: list_units
-- Every unit since a month, for operators.
SELECT account, month, unit, campaign, step FROM units WHERE month >= $1 ORDER BY month DESC, account, campaign, step;
