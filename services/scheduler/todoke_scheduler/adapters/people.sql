-- name: people_now
-- What messages need to know of these people.
SELECT person_id, facts FROM segmenter.published_people WHERE person_id = any($1::uuid[]);

-- name: friends_of
-- The LINE users, friends now, that these people are.
SELECT p.person_id, f.account, f.user_id
  FROM segmenter.published_people p JOIN segmenter.friends f ON f.person_id = p.current_id
 WHERE p.person_id = any($1::uuid[]) AND f.is_friend
 ORDER BY f.account, f.user_id;
