-- name: live_keys
-- All that ingest needs to know of the keys in force; there are two for each shop and purpose, so never many.
SELECT key_hash, hint, shop, purpose, origins, per_second, burst,
       extract(epoch FROM expires_at - clock_timestamp())::float8 AS seconds_left
  FROM keys WHERE expires_at IS NULL OR expires_at > clock_timestamp();
