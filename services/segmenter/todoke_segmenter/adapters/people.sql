-- name: persons_of
-- Who the identifiers belong to. $1 shops, $2 identifiers. Links as text: msgspec reads them.
SELECT i.shop, i.identifier, i.person_id, i.links::text AS links
  FROM unnest($1::text[], $2::text[]) AS w (shop, identifier)
  JOIN identities i USING (shop, identifier);

-- name: identities_of
-- Every identifier of these people.
SELECT shop, identifier, person_id, links::text AS links FROM identities WHERE person_id = any($1::uuid[]);

-- name: shops_of
-- Of which shop these people are, by their own ids, which may be of somebody who was merged.
SELECT person_id, shop FROM people WHERE person_id = any($1::uuid[]);

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
-- The people of a batch, locked in one order so that batches cannot deadlock. State as bytes: msgspec reads them.
SELECT person_id, merged_into, moved, convert_to(coalesce(state::text, state_before::text), 'UTF8') AS state,
       segments::text AS segments, segments_left::text AS segments_left, segments_revision, checked_at, next_check_at
  FROM people
 WHERE person_id = any($1::uuid[]) ORDER BY person_id FOR UPDATE;

-- name: save_states!
-- What is known of people of whom nothing else has changed than that they were asked at $3.
UPDATE people p SET state = convert_from(n.state, 'UTF8')::json, state_before = NULL,
                    checked_at = greatest(p.checked_at, $3), updated_at = now()
  FROM unnest($1::uuid[], $2::bytea[]) AS n (person_id, state)
 WHERE p.person_id = n.person_id;

-- name: save_people!
-- What became of them. NULL facts or segments stay as they are.
UPDATE people p SET state = convert_from(n.state, 'UTF8')::json, state_before = NULL,
                    facts = coalesce(n.facts::jsonb, p.facts), email_sha256 = n.email, phone_sha256 = n.phone,
                    segments = coalesce(n.segments::jsonb, p.segments),
                    segments_left = coalesce(n.segments_left::jsonb, p.segments_left),
                    segments_revision = n.revision, checked_at = n.checked_at, next_check_at = n.next_check_at,
                    updated_at = now()
  FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[],
              $9::timestamptz[], $10::timestamptz[])
    AS n (person_id, state, facts, email, phone, segments, segments_left, revision, checked_at, next_check_at)
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
UPDATE people p SET merged_into = m.survivor, state = '{}', state_before = NULL, facts = '{}', email_sha256 = NULL,
                    phone_sha256 = NULL, segments = '{}', segments_left = '{}', next_check_at = NULL
  FROM pairs m WHERE p.person_id = m.loser OR p.merged_into = m.loser;

-- name: save_identities!
-- Whose these identifiers are, and by which logins.
UPDATE identities i SET person_id = n.person_id, linked_at = n.linked_at, links = n.links::jsonb
  FROM unnest($1::text[], $2::text[], $3::uuid[], $4::timestamptz[], $5::text[])
    AS n (shop, identifier, person_id, linked_at, links)
 WHERE i.shop = n.shop AND i.identifier = n.identifier;

-- name: mark_moved!
-- An identifier of theirs has gone to somebody else.
UPDATE people SET moved = true WHERE person_id = any($1::uuid[]) AND NOT moved;

-- name: save_friends!
-- Friend status by LINE user, as the newest event has it.
INSERT INTO friend_status AS f (account, user_id, shop, person_id, is_friend, changed_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::bool[], $6::timestamptz[])
    AS n (account, user_id, shop, person_id, is_friend, changed_at)
 ORDER BY account, user_id
ON CONFLICT (account, user_id) DO UPDATE
   SET is_friend = excluded.is_friend, changed_at = excluded.changed_at, person_id = excluded.person_id;
