-- name: list_keys
-- What an operator may see: no hash.
SELECT hint, shop, purpose, origins, per_second, burst, created_at, expires_at
  FROM keys WHERE expires_at IS NULL OR expires_at > clock_timestamp() ORDER BY shop, purpose, created_at;

-- name: take_turns!
-- Two commands at once take turns, so that the second sees what the first has done.
SELECT pg_advisory_xact_lock(hashtext('todoke.keys'));

-- name: drop_expired!
-- Expired keys of $1 shop, $2 purpose give their slots back.
DELETE FROM keys WHERE shop = $1 AND purpose = $2 AND expires_at <= clock_timestamp();

-- name: add_key
-- A new key into a free slot; no row when both are taken.
INSERT INTO keys (key_hash, hint, shop, purpose, slot, origins, per_second, burst)
SELECT $1::bytea, $2::text, $3::text, $4::text, free.slot, $5::text[], $6::int, $7::int
  FROM generate_series(1, 2) AS free (slot)
 WHERE NOT EXISTS (SELECT FROM keys k WHERE k.shop = $3 AND k.purpose = $4 AND k.slot = free.slot)
 ORDER BY free.slot LIMIT 1
RETURNING hint;

-- name: newest_key
-- The key of $1 shop, $2 purpose that another one shall be like.
SELECT origins, per_second, burst FROM keys WHERE shop = $1 AND purpose = $2
 ORDER BY created_at DESC LIMIT 1;

-- name: expire_others
-- All keys of $1 shop, $2 purpose but the one called $3 end after $4, or earlier where that was said before.
UPDATE keys SET expires_at = least(expires_at, clock_timestamp() + $4::interval)
 WHERE shop = $1 AND purpose = $2 AND hint <> $3
RETURNING hint, expires_at;

-- name: revoke_key
-- Out at once.
DELETE FROM keys WHERE hint = $1 RETURNING shop, purpose;
