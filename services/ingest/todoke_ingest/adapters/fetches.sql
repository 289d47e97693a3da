-- name: note!
-- A newer notice of an entity joins the one that waits. Whatever is being fetched this moment is fetched again.
INSERT INTO fetches AS f (platform, shop, entity, entity_id, action, received_at, due_at)
SELECT $1, $2, n.entity, n.entity_id, n.action, $3, $4
  FROM unnest($5::text[], $6::text[], $7::text[]) AS n (entity, entity_id, action)
 ORDER BY n.entity, n.entity_id
ON CONFLICT (platform, shop, entity, entity_id) DO UPDATE
   SET action = CASE WHEN f.action = 'created' AND excluded.action = 'updated' THEN 'created' ELSE excluded.action END,
       received_at = greatest(f.received_at, excluded.received_at),
       due_at = least(f.due_at, excluded.due_at),
       notices = f.notices + 1,
       attempts = 0;

-- name: claim
-- Take what is due, oldest first, on a lease; several ingests share without waiting for each other.
-- The transaction is over before the shop is asked; a fetcher that dies gives its rows back by the lease's end.
UPDATE fetches SET leased_until = $4, attempts = attempts + 1
 WHERE ctid = any(ARRAY(
    SELECT ctid FROM fetches
     WHERE platform = $1 AND shop = $2 AND due_at <= $3 AND (leased_until IS NULL OR leased_until <= $3)
     ORDER BY due_at LIMIT $5 FOR UPDATE SKIP LOCKED))
RETURNING entity, entity_id, action, received_at, notices, attempts;

-- name: waiting
-- How many wait, due or not.
SELECT count(*) AS rows FROM fetches WHERE platform = $1 AND shop = $2;

-- name: finish
-- Done with; unless something was said of it since.
DELETE FROM fetches
 WHERE platform = $1 AND shop = $2 AND entity = $3 AND entity_id = $4 AND notices = $5
RETURNING true;

-- name: put_off!
-- The lease ends. Look again at $6; or when a notice that arrived since says so.
UPDATE fetches SET leased_until = NULL, due_at = CASE WHEN notices = $5 THEN $6 ELSE due_at END
 WHERE platform = $1 AND shop = $2 AND entity = $3 AND entity_id = $4;

-- name: told_of
-- What has been told of an entity.
SELECT facts FROM told WHERE platform = $1 AND shop = $2 AND entity = $3 AND entity_id = $4;

-- name: remember_told!
-- Facts join those known.
INSERT INTO told AS t (platform, shop, entity, entity_id, facts) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (platform, shop, entity, entity_id) DO UPDATE
   SET facts = ARRAY(SELECT DISTINCT fact FROM unnest(t.facts || excluded.facts) AS fact ORDER BY fact);
