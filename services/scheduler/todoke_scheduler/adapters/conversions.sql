-- name: save_conversions!
-- Goals reached; one that is counted already stays as it is.
INSERT INTO conversions (enrolment_id, trigger_id, campaign, at, amount, holdout)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::float8[], $6::bool[])
ON CONFLICT DO NOTHING;

-- name: goals_heard
-- What these people reached lately in these campaigns.
SELECT trigger_id, campaign, person_id, key, goal, at, amount FROM goals_heard
 WHERE campaign = any($1::text[]) AND person_id = any($2::uuid[]);

-- name: save_heard!
-- Goals as they came.
INSERT INTO goals_heard (trigger_id, campaign, person_id, key, goal, at, amount)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::int[], $6::timestamptz[], $7::float8[])
ON CONFLICT DO NOTHING;

-- name: forget_heard!
-- What no entry will ask for any more, some at a time to keep the lock short.
DELETE FROM goals_heard WHERE trigger_id IN (SELECT trigger_id FROM goals_heard WHERE at < $1 LIMIT 5000);
