-- name: latest_runs
-- The newest runs of a campaign that get its messages, the newest first.
SELECT * FROM enrolments WHERE campaign = $1 AND NOT holdout ORDER BY started_at DESC, enrolment_id LIMIT $2;
