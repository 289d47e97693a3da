-- name: store_links
-- A message's link that is known keeps its token and follows the newest rendering. Links of no message never meet.
-- Sorted, so that two batches wait for each other in one order.
INSERT INTO links AS l (created_at, token, destination, shop, campaign, step, expires_at, message_id, place, account,
                        lane, person_id, enrolment_id)
SELECT $1, token, destination, shop, campaign, step, expires_at, message_id, place, account, lane, person_id,
       enrolment_id
  FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::uuid[], $9::int[],
              $10::text[], $11::text[], $12::uuid[], $13::uuid[])
    AS n (token, destination, shop, campaign, step, expires_at, message_id, place, account, lane, person_id,
          enrolment_id)
 ORDER BY message_id, place
ON CONFLICT (message_id, place) DO UPDATE SET destination = excluded.destination
RETURNING token, message_id, place;

-- name: share_links!
-- Links that all copies of a message share: made once, by whichever dispatcher comes first.
INSERT INTO links (created_at, token, destination, shop, campaign, step, account, lane, shared)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::uuid[])
 ORDER BY 9
ON CONFLICT (shared) WHERE shared IS NOT NULL DO NOTHING;

-- name: shared_tokens
-- The tokens that they have.
SELECT shared, token FROM links WHERE shared = any($1::uuid[]);

-- name: listed_links
-- The links on posters and in newsletters, the newest first.
SELECT token, destination, shop, campaign, step, created_at, expires_at
  FROM links WHERE message_id IS NULL AND shared IS NULL ORDER BY created_at DESC, token LIMIT $1;
