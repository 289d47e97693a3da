-- name: claim_due
-- People whom the clock has to look at by $1, at most $2. Locked rows are another claim's, or a batch's that catches up.
SELECT person_id, shop, convert_to(coalesce(state::text, state_before::text), 'UTF8') AS state,
       segments::text AS segments, segments_left::text AS segments_left, segments_revision, checked_at, next_check_at
  FROM people WHERE next_check_at <= $1 AND merged_into IS NULL
 ORDER BY next_check_at LIMIT $2 FOR UPDATE SKIP LOCKED;

-- name: claim_outdated
-- People who were last asked before revision $1, at most $2. Who was never asked is asked with their first event.
SELECT person_id, shop, convert_to(coalesce(state::text, state_before::text), 'UTF8') AS state,
       segments::text AS segments, segments_left::text AS segments_left, segments_revision, checked_at, next_check_at
  FROM people WHERE segments_revision < $1 AND merged_into IS NULL
 ORDER BY segments_revision LIMIT $2 FOR UPDATE SKIP LOCKED;

-- name: save_memberships!
-- What became of their segments; NULL: those they were in are those they are in.
UPDATE people p SET segments = coalesce(n.segments::jsonb, p.segments),
                    segments_left = coalesce(n.segments_left::jsonb, p.segments_left),
                    segments_revision = n.revision, checked_at = n.checked_at, next_check_at = n.next_check_at
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::timestamptz[], $6::timestamptz[])
    AS n (person_id, segments, segments_left, revision, checked_at, next_check_at)
 WHERE p.person_id = n.person_id;

-- name: next_check$
-- The first instant that somebody waits for.
SELECT min(next_check_at) FROM people WHERE next_check_at IS NOT NULL AND merged_into IS NULL;
