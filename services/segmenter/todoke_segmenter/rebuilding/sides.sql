-- Asked of both states, the live and the rebuilt, each in its own schema. $1: since when the topics are complete.

-- name: people
-- Everybody, in one order, each part as a hash of what it says.
SELECT p.person_id, p.merged_into, md5(coalesce(p.state::jsonb, p.state_before)::text) AS state,
       (SELECT md5(string_agg(i.shop || '/' || i.identifier, E'\n' ORDER BY i.shop COLLATE "C", i.identifier COLLATE "C"))
          FROM identities i WHERE i.person_id = p.person_id) AS identifiers,
       (SELECT md5(string_agg(concat_ws('/', f.account, f.user_id, f.is_friend, f.changed_at), E'\n'
                              ORDER BY f.account COLLATE "C", f.user_id COLLATE "C"))
          FROM friend_status f WHERE f.person_id = p.person_id) AS friends,
       (SELECT md5(string_agg(s, E'\n' ORDER BY s COLLATE "C")) FROM jsonb_object_keys(p.segments) s) AS segments,
       p.segments_revision AS revision, p.next_check_at,
       $1::timestamptz IS NULL OR (
           coalesce(p.created_at >= $1, false)
           AND NOT EXISTS (SELECT FROM people m WHERE m.merged_into = p.person_id AND (m.created_at >= $1) IS NOT TRUE)
       ) AS covered
  FROM people p ORDER BY p.person_id;

-- name: states
-- What is known of some people.
SELECT person_id, coalesce(state::text, state_before::text) AS state FROM people WHERE person_id = any($1::uuid[]);

-- name: products
-- The catalogue, in one order.
SELECT shop COLLATE "C" AS shop, product_id COLLATE "C" AS product_id,
       ARRAY[concat_ws('@', to_json(name), name_at), concat_ws('@', price, price_at), concat_ws('@', to_json(url), url_at),
             concat_ws('@', to_json(image_url), image_url_at), concat_ws('@', to_json(category), category_at),
             concat_ws('@', stock, stock_at), concat_ws('@', use_up_days, use_up_days_at),
             concat_ws('@', deleted, deleted_at)] AS fields,
       $1::timestamptz IS NULL OR created_at >= $1 AS covered
  FROM products ORDER BY 1, 2;

-- name: neighbours
-- Who is tied to the people $1: merged, or named among the logins of their identifiers.
SELECT person_id AS one, merged_into AS other FROM people WHERE person_id = any($1::uuid[]) AND merged_into IS NOT NULL
UNION
SELECT merged_into, person_id FROM people WHERE merged_into = any($1::uuid[])
UNION
SELECT i.person_id, named.person::uuid
  FROM identities i CROSS JOIN LATERAL (
           SELECT i.links ->> 'first' AS person
           UNION ALL SELECT login ->> 'person' FROM jsonb_array_elements(i.links -> 'links') AS login
           UNION ALL SELECT login ->> 'leaves' FROM jsonb_array_elements(i.links -> 'links') AS login
       ) AS named
 WHERE i.person_id = any($1::uuid[]) AND i.links IS NOT NULL AND named.person IS NOT NULL;

-- name: uncovered
-- Those of the people $2 whom the topics do not tell of from their first event on.
SELECT person_id FROM people WHERE person_id = any($2::uuid[]) AND (created_at >= $1) IS NOT TRUE;

-- name: same_identifiers
-- Asked of both schemas at once: whose identifiers are somebody else's in the other.
SELECT l.person_id AS one, r.person_id AS other
  FROM segmenter.identities l JOIN segmenter_rebuild.identities r USING (shop, identifier)
 WHERE l.person_id = any($1::uuid[]) AND l.person_id <> r.person_id
UNION
SELECT l.person_id, r.person_id
  FROM segmenter_rebuild.identities r JOIN segmenter.identities l USING (shop, identifier)
 WHERE r.person_id = any($1::uuid[]) AND l.person_id <> r.person_id;
