-- name: is_in_force$
-- Whether a campaign $1 is published, paused or not.
SELECT EXISTS (SELECT FROM scheduler.current_campaigns WHERE campaign = $1);
