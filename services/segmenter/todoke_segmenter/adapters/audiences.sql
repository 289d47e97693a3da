-- name: in_slice
-- Of people whose ids lie between $1 and $2: their number, and (columns) of how many what is asked holds. A state is
-- parsed once, and only where it is asked for.
SELECT count(*) AS people, true AS columns
  FROM people p CROSS JOIN LATERAL (SELECT coalesce(p.state::jsonb, p.state_before) AS state OFFSET 0) AS parsed
 WHERE p.person_id >= $1 AND p.person_id <= $2 AND p.merged_into IS NULL;

-- name: are_few$
-- Whether there are no more than $1 people.
SELECT count(*) <= $1::bigint FROM (SELECT FROM people LIMIT $1::bigint + 1) AS p;

-- name: about$
-- How many people PostgreSQL thinks there are; -1 when it has never counted.
SELECT reltuples::float8 FROM pg_class WHERE oid = 'people'::regclass;

-- name: list_members
-- Who is in segment $1, since when, and as whom the shop knows them.
SELECT p.person_id, p.segments->>$1 AS since, i.customers
  FROM people p
  LEFT JOIN LATERAL (SELECT array_agg(identifier ORDER BY identifier) AS customers FROM identities
                      WHERE person_id = p.person_id AND identifier LIKE 'customer:%') i ON true
 WHERE p.segments ? $1 AND p.merged_into IS NULL;

-- name: asked
-- How many people were last asked at which revision.
SELECT segments_revision, count(*) AS people FROM people
 WHERE merged_into IS NULL AND segments_revision IS NOT NULL GROUP BY segments_revision;
