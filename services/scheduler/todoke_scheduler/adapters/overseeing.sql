-- name: names_in_force
-- The campaigns that have been published.
SELECT campaign FROM current_campaigns ORDER BY campaign;

-- name: pause
-- Pause a campaign; no row when it is paused already.
INSERT INTO paused_campaigns (campaign) VALUES ($1) ON CONFLICT DO NOTHING RETURNING campaign;

-- name: resume
-- Let a campaign go on; no row when it was not paused.
DELETE FROM paused_campaigns WHERE campaign = $1 RETURNING campaign;

-- name: list_campaigns
-- The campaigns in force, and how many runs each has in each state, over all its versions. Who is in the holdout runs
-- along and gets nothing: counted apart.
SELECT c.campaign, v.document->>'name' AS name, c.version, c.paused_since, coalesce(e.entered, 0) AS entered,
       coalesce(e.active, 0) AS active, coalesce(e.done, 0) AS done, coalesce(e.ended, 0) AS ended,
       coalesce(e.holdout, 0) AS holdout
  FROM current_campaigns c JOIN campaign_versions v USING (campaign, version)
  LEFT JOIN (
      SELECT campaign, count(*) AS entered,
             count(*) FILTER (WHERE status = 'active' AND NOT holdout) AS active,
             count(*) FILTER (WHERE status = 'done' AND NOT holdout) AS done,
             count(*) FILTER (WHERE status = 'ended' AND NOT holdout) AS ended,
             count(*) FILTER (WHERE holdout) AS holdout
        FROM enrolments GROUP BY campaign
  ) e USING (campaign)
 ORDER BY c.campaign;

-- name: waiting_at
-- How many runs that get messages stand at each position, by version; the campaigns in force, or the one named $1.
SELECT e.campaign, e.version, e.position, count(*) AS people
  FROM enrolments e JOIN current_campaigns c USING (campaign)
 WHERE e.status = 'active' AND NOT e.holdout AND ($1::text IS NULL OR e.campaign = $1)
 GROUP BY e.campaign, e.version, e.position ORDER BY e.campaign, e.version, e.position;

-- name: hold_day
-- The day of the instant $1 has a partition of timers, and keeps it until the transaction ends.
SELECT hold_timer_days(ARRAY[($1::timestamptz AT TIME ZONE 'UTC')::date]);

-- name: wake!
-- Look at $2 at those runs of a campaign whose step is due by then: it rested while the campaign was paused.
INSERT INTO timers (due_at, enrolment, position)
SELECT $2::timestamptz, enrolment_id, position FROM enrolments
 WHERE campaign = $1 AND status = 'active' AND due_at <= $2;
