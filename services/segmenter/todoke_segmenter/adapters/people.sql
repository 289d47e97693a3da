-- name: persons_of
-- Who the identifiers belong to. $1 shops, $2 identifiers.
SELECT i.shop, i.identifier, i.person_id
  FROM unnest($1::text[], $2::text[]) AS w (shop, identifier)
  JOIN identities i USING (shop, identifier);

-- name: create_people!
-- People first met. Their ids follow from the identifier, so a rival batch would have made the same ones.
INSERT INTO people (person_id, shop, state, facts)
SELECT person_id, shop, '{}', '{}' FROM unnest($1::uuid[], $2::text[]) AS n (person_id, shop)
 ORDER BY person_id
ON CONFLICT (person_id) DO NOTHING;

-- name: create_identities!
-- An identifier belongs to whoever had it first.
INSERT INTO identities (shop, identifier, person_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[]) AS n (shop, identifier, person_id)
 ORDER BY shop, identifier
ON CONFLICT (shop, identifier) DO NOTHING;

-- name: lock_people
-- The people of a batch, locked in one order so that batches cannot deadlock. State as text: msgspec reads it.
SELECT person_id, merged_into, state::text AS state FROM people
 WHERE person_id = any($1::uuid[]) ORDER BY person_id FOR UPDATE;

-- name: save_people!
-- What became of them.
UPDATE people p SET state = n.state::jsonb, facts = n.facts::jsonb, updated_at = now()
  FROM unnest($1::uuid[], $2::text[], $3::text[]) AS n (person_id, state, facts)
 WHERE p.person_id = n.person_id;

-- name: merge_people!
-- $1 turned out to be $2: their identifiers and all who were merged into them before follow.
WITH pairs AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS m (loser, survivor)
), moved AS (
    UPDATE identities i SET person_id = m.survivor FROM pairs m WHERE i.person_id = m.loser
), friends_moved AS (
    UPDATE friend_status f SET person_id = m.survivor FROM pairs m WHERE f.person_id = m.loser
)
UPDATE people p SET merged_into = m.survivor, state = '{}', facts = '{}'
  FROM pairs m WHERE p.person_id = m.loser OR p.merged_into = m.loser;

-- name: save_friends!
-- Friend status by LINE user, as the newest event has it.
INSERT INTO friend_status AS f (account, user_id, shop, person_id, is_friend, changed_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::bool[], $6::timestamptz[])
    AS n (account, user_id, shop, person_id, is_friend, changed_at)
 ORDER BY account, user_id
ON CONFLICT (account, user_id) DO UPDATE
   SET is_friend = excluded.is_friend, changed_at = excluded.changed_at, person_id = excluded.person_id;
