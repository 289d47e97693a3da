-- name: aliases_of
-- Everybody who turned out to be these people, themselves included: what was begun under an old id goes on.
WITH known AS (SELECT DISTINCT current_id FROM segmenter.published_people WHERE person_id = any($1::uuid[]))
SELECT current_id AS person_id, current_id FROM known
UNION ALL
SELECT person_id, current_id FROM known JOIN segmenter.published_aliases USING (current_id);

-- name: take_turns
-- Triggers of one person may lie in two partitions (before and after a merge): whoever decides locks the person first.
SELECT pg_advisory_xact_lock(hashtextextended(person::text, 0))
  FROM (SELECT DISTINCT unnest($1::uuid[]) AS person ORDER BY person) AS people;

-- name: marks_of
-- The newest entry and exit of each journey of these people in these campaigns.
SELECT campaign, person_id, key, entered_at, exited_at FROM journeys
 WHERE campaign = any($1::text[]) AND person_id = any($2::uuid[]);

-- name: active_of
-- Their runs that are not over, locked in one order.
SELECT * FROM enrolments
 WHERE campaign = any($1::text[]) AND person_id = any($2::uuid[]) AND status = 'active'
 ORDER BY enrolment_id FOR UPDATE;

-- name: over_of
-- Their runs that are over: a goal may still be counted for them.
SELECT * FROM enrolments WHERE campaign = any($1::text[]) AND person_id = any($2::uuid[]) AND status <> 'active'
 ORDER BY enrolment_id;

-- name: begun_before
-- Which of these runs there have been, and are over.
SELECT enrolment_id FROM enrolments WHERE enrolment_id = any($1::uuid[]) AND status <> 'active';

-- name: save_marks!
-- Entries and exits only move forward.
INSERT INTO journeys AS j (campaign, person_id, key, entered_at, exited_at)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[])
    AS n (campaign, person_id, key, entered_at, exited_at)
 ORDER BY campaign, person_id, key
ON CONFLICT (campaign, person_id, key) DO UPDATE
   SET entered_at = greatest(j.entered_at, excluded.entered_at),
       exited_at = greatest(j.exited_at, excluded.exited_at);
