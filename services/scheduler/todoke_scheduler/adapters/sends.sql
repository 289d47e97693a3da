-- name: take_turns
-- Two that count what one person was sent take turns. Not the lock of a person's triggers (journeys.sql): whoever
-- waits here has runs locked, for which whoever has that one may be waiting.
SELECT pg_advisory_xact_lock(hashtextextended(person::text, 1))
  FROM (SELECT DISTINCT unnest($1::uuid[]) AS person ORDER BY person) AS people;

-- name: sent_since
-- What these people were sent since $2, under any id that they had.
WITH known AS (
    SELECT current_id AS person_id, current_id FROM unnest($1::uuid[]) AS ids (current_id)
    UNION ALL
    SELECT person_id, current_id FROM unnest($1::uuid[]) AS ids (current_id) JOIN segmenter.published_aliases USING (current_id)
)
SELECT known.current_id AS person_id, campaign, lane, at FROM known JOIN sends USING (person_id) WHERE at > $2;

-- name: save_sent!
-- What goes out now.
INSERT INTO sends (person_id, at, campaign, account, lane)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[]);

-- name: forget_sent!
-- What no cap can count any more.
DELETE FROM sends WHERE at < $1;
