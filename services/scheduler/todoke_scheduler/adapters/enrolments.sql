-- name: move_enrolments!
-- Runs that are there, as they now stand.
UPDATE enrolments AS e
   SET due_at = n.due_at, position = n.position, status = n.status, ends_at = n.ends_at, end_reason = n.end_reason
  FROM unnest($1::uuid[], $2::timestamptz[], $3::int[], $4::text[], $5::timestamptz[], $6::text[])
    AS n (enrolment_id, due_at, position, status, ends_at, end_reason)
 WHERE e.enrolment_id = n.enrolment_id;

-- name: add_enrolments!
-- Those of these runs that are new.
INSERT INTO enrolments (enrolment_id, campaign, version, shop, person_id, key, started_at, due_at, position, status,
                        ends_at, end_reason, context, holdout, notes, arms)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::uuid[], $6::text[], $7::timestamptz[],
                     $8::timestamptz[], $9::int[], $10::text[], $11::timestamptz[], $12::text[], $13::jsonb[],
                     $14::boolean[], $15::jsonb[], $16::jsonb[])
ON CONFLICT (enrolment_id) DO NOTHING;

-- name: note_enrolments!
-- What few runs change.
UPDATE enrolments AS e SET version = n.version, notes = n.notes, arms = n.arms
  FROM unnest($1::uuid[], $2::int[], $3::jsonb[], $4::jsonb[]) AS n (enrolment_id, version, notes, arms)
 WHERE e.enrolment_id = n.enrolment_id;

-- name: lock_enrolments
-- The runs of claimed timers, locked in the order in which triggers lock them.
SELECT * FROM enrolments WHERE enrolment_id = any($1::uuid[]) ORDER BY enrolment_id FOR UPDATE;
