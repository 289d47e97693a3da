-- name: aliases_of
-- Everybody who turned out to be these people, themselves included: what was begun under an old id goes on.
SELECT person_id, current_id FROM segmenter.published_people WHERE current_id IN (
    SELECT current_id FROM segmenter.published_people WHERE person_id = any($1::uuid[])
);

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

-- name: save_marks!
-- Entries and exits only move forward.
INSERT INTO journeys AS j (campaign, person_id, key, entered_at, exited_at)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[])
    AS n (campaign, person_id, key, entered_at, exited_at)
 ORDER BY campaign, person_id, key
ON CONFLICT (campaign, person_id, key) DO UPDATE
   SET entered_at = greatest(j.entered_at, excluded.entered_at),
       exited_at = greatest(j.exited_at, excluded.exited_at);

-- name: save_enrolments!
-- Runs as they now stand, new ones among them.
INSERT INTO enrolments AS e (enrolment_id, campaign, version, shop, person_id, key, started_at, due_at, position,
                             status, ends_at, end_reason, context)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::uuid[], $6::text[], $7::timestamptz[],
                     $8::timestamptz[], $9::int[], $10::text[], $11::timestamptz[], $12::text[], $13::jsonb[])
ON CONFLICT (enrolment_id) DO UPDATE
   SET due_at = excluded.due_at, position = excluded.position, status = excluded.status,
       ends_at = excluded.ends_at, end_reason = excluded.end_reason;

-- name: save_timers!
-- When to look at a run again. A timer whose run has moved on is found stale when it fires.
INSERT INTO timers (due_at, enrolment_id, position)
SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::int[]);

-- name: claim_timers
-- Take what is due, oldest first; several schedulers share without waiting for each other.
-- Gone from here means done in this same transaction: a crash gives them back.
DELETE FROM timers WHERE ctid = any(ARRAY(
    SELECT ctid FROM timers WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
)) RETURNING due_at, enrolment_id, position;

-- name: next_due
-- When the next timer is due.
SELECT min(due_at) FROM timers;

-- name: lock_enrolments
-- The runs of claimed timers, locked in the order in which triggers lock them.
SELECT * FROM enrolments WHERE enrolment_id = any($1::uuid[]) ORDER BY enrolment_id FOR UPDATE;

-- name: people_now
-- What messages need to know of these people.
SELECT person_id, facts FROM segmenter.published_people WHERE person_id = any($1::uuid[]);

-- name: friends_of
-- The LINE users, friends now, that these people are.
SELECT p.person_id, f.account, f.user_id
  FROM segmenter.published_people p JOIN segmenter.friends f ON f.person_id = p.current_id
 WHERE p.person_id = any($1::uuid[]) AND f.is_friend
 ORDER BY f.account, f.user_id;

-- name: save_decisions!
-- Why somebody did not get a message, or did not enter.
INSERT INTO decisions (person_id, campaign, enrolment_id, step, decision, at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[]);
