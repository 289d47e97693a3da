-- A cohort: the runs of a campaign ($1) that began at $2 or later (NULL: ever). A person may have several; they belong to the
-- holdout when nothing but the holdout was theirs, and to the branch of a split that they took first. What a person bought
-- in one instant is one purchase, however many goals and runs it was counted for.

-- name: count_runs
-- How many runs stand where. `open`: the goal may still be reached, for they began after $3, and it was not yet.
SELECT status, end_reason, holdout, count(*) AS runs,
       count(*) FILTER (WHERE started_at > $3::timestamptz AND converted IS NULL) AS open
  FROM enrolments
  LEFT JOIN (SELECT DISTINCT enrolment_id AS converted FROM conversions WHERE campaign = $1) c ON converted = enrolment_id
 WHERE campaign = $1 AND ($2::timestamptz IS NULL OR started_at >= $2)
 GROUP BY status, end_reason, holdout;

-- name: compare_people
-- Everybody who gets messages, and the holdout: people, of whom some converted, and the yen of each person.
WITH runs AS (
    SELECT enrolment_id, person_id, holdout FROM enrolments
     WHERE campaign = $1 AND ($2::timestamptz IS NULL OR started_at >= $2)
), bought AS (
    SELECT person_id, sum(amount) AS revenue
      FROM (SELECT r.person_id, c.at, coalesce(max(c.amount), 0) AS amount
              FROM conversions c JOIN runs r USING (enrolment_id)
             WHERE c.campaign = $1 GROUP BY r.person_id, c.at) AS once
     GROUP BY person_id
), people AS (
    SELECT person_id, bool_and(holdout) AS holdout FROM runs GROUP BY person_id
)
SELECT p.holdout, count(*) AS people, count(b.person_id) AS converted, avg(coalesce(b.revenue, 0)) AS mean,
       coalesce(var_samp(coalesce(b.revenue, 0)), 0) AS variance
  FROM people p LEFT JOIN bought b USING (person_id)
 GROUP BY p.holdout;

-- name: compare_arms
-- The same for each branch of each split, of those who came to it and get messages.
WITH runs AS (
    SELECT enrolment_id, person_id, arms, started_at FROM enrolments
     WHERE campaign = $1 AND ($2::timestamptz IS NULL OR started_at >= $2) AND NOT holdout
), bought AS (
    SELECT person_id, sum(amount) AS revenue
      FROM (SELECT r.person_id, c.at, coalesce(max(c.amount), 0) AS amount
              FROM conversions c JOIN runs r USING (enrolment_id)
             WHERE c.campaign = $1 GROUP BY r.person_id, c.at) AS once
     GROUP BY person_id
), people AS (
    SELECT DISTINCT ON (a.split, r.person_id) a.split, a.arm, r.person_id
      FROM runs r CROSS JOIN LATERAL jsonb_each_text(r.arms) AS a (split, arm)
     ORDER BY a.split, r.person_id, r.started_at
)
SELECT p.split, p.arm, count(*) AS people, count(b.person_id) AS converted, avg(coalesce(b.revenue, 0)) AS mean,
       coalesce(var_samp(coalesce(b.revenue, 0)), 0) AS variance
  FROM people p LEFT JOIN bought b USING (person_id)
 GROUP BY p.split, p.arm ORDER BY p.split, p.arm;

-- name: count_messages
-- What became of the campaign's messages by the dispatcher's ledger, how many were clicked, by how many people, and how
-- often: a click from before every one was kept counts once.
SELECT coalesce(d.step, '') AS step, count(*) AS asked,
       count(*) FILTER (WHERE d.state = 'accepted') AS accepted,
       count(*) FILTER (WHERE d.state = 'accepted' AND d.via = 'reply') AS free, count(c.message_id) AS clicked,
       count(DISTINCT d.person_id) FILTER (WHERE c.message_id IS NOT NULL) AS clickers,
       coalesce(sum(greatest(e.clicks, (c.message_id IS NOT NULL)::int)), 0)::bigint AS clicks,
       count(*) FILTER (WHERE d.state = 'failed') AS failed, count(*) FILTER (WHERE d.state = 'dropped') AS dropped,
       count(*) FILTER (WHERE d.state = 'held') AS held, count(*) FILTER (WHERE d.state = 'unknown') AS unknown,
       count(*) FILTER (WHERE d.state IN ('waiting', 'attempting')) AS under_way
  FROM dispatcher.published_deliveries d
  LEFT JOIN clicks c USING (message_id)
  LEFT JOIN (SELECT message_id, count(*) AS clicks FROM every_click
              WHERE campaign = $1 AND message_id IS NOT NULL GROUP BY message_id) AS e USING (message_id)
 WHERE d.campaign = $1
   AND ($2::timestamptz IS NULL
        OR EXISTS (SELECT FROM enrolments e WHERE e.enrolment_id = d.enrolment_id AND e.started_at >= $2))
 GROUP BY coalesce(d.step, '');

-- name: count_shared_clicks
-- How often links were followed that all copies of a message share. They belong to no run: since $2 are those that came then.
SELECT coalesce(step, '') AS step, count(*) AS clicks FROM every_click
 WHERE campaign = $1 AND message_id IS NULL AND ($2::timestamptz IS NULL OR at >= $2)
 GROUP BY coalesce(step, '');
