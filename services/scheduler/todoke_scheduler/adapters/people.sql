-- name: people_now
-- What messages need to know of these people.
SELECT person_id, current_id, facts FROM segmenter.published_people WHERE person_id = any($1::uuid[]);

-- name: friends_of
-- The LINE users, friends now, that these people are.
SELECT p.person_id, f.account, f.user_id
  FROM segmenter.published_people p JOIN segmenter.friends f ON f.person_id = p.current_id
 WHERE p.person_id = any($1::uuid[]) AND f.is_friend
 ORDER BY f.account, f.user_id;

-- name: states_of
-- All that is known of these people.
SELECT person_id, state_text AS state FROM segmenter.published_states WHERE person_id = any($1::uuid[]);

-- name: consents_of
-- Those of these people who said yes or no to the purpose $2.
SELECT person_id, (state #> ARRAY['consents', $2::text, 'value'])::bool AS agreed FROM segmenter.published_states
 WHERE person_id = any($1::uuid[]) AND jsonb_typeof(state #> ARRAY['consents', $2::text, 'value']) = 'boolean';

-- name: resolve_subjects
-- Whom the names $2 of the shops $1 mean.
SELECT i.shop, i.identifier, i.person_id
  FROM segmenter.published_identities i JOIN unnest($1::text[], $2::text[]) AS w (shop, identifier)
    ON i.shop = w.shop AND i.identifier = w.identifier;

-- name: names_of
-- A name of each of these people; `customer:` sorts before `line:` and `visitor:`.
SELECT p.person_id, min(i.identifier) AS identifier
  FROM segmenter.published_people p JOIN segmenter.published_identities i ON i.person_id = p.current_id
 WHERE p.person_id = any($1::uuid[])
 GROUP BY p.person_id;

-- name: segments_now
-- The segments in force.
SELECT segment, document FROM segmenter.current_segments ORDER BY segment;
