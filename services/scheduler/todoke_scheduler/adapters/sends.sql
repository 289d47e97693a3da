-- name: take_turns
-- Two that count what one person was sent take turns. Not the lock of a person's triggers (journeys.sql): whoever
-- waits here has runs locked, for which whoever has that one may be waiting.
SELECT pg_advisory_xact_lock(hashtextextended(person::text, 1))
  FROM (SELECT DISTINCT unnest($1::uuid[]) AS person ORDER BY person) AS people;

-- name: sent_since
-- What these people were sent since $2, under any id that they had.
SELECT p.current_id AS person_id, s.campaign, s.lane, s.at
  FROM segmenter.published_people p JOIN sends s USING (person_id)
 WHERE p.current_id = any($1::uuid[]) AND s.at > $2;

-- name: save_sent!
-- What goes out now.
INSERT INTO sends (person_id, at, campaign, account, lane)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[]);

-- name: forget_sent!
-- What no cap can count any more.
DELETE FROM sends WHERE at < $1;
