-- name: keep_halves
-- What is told of nonces, and what is then known of each; what was told first stays, for a nonce is given once and comes
-- back once. Ordered, so that two batches cannot deadlock; of two that bring a half each the second sees both.
INSERT INTO account_links AS a (shop, nonce_sha256, customer, line_user, linked_at, linked_by, standby)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::uuid[], $7::bool[])
    AS n (shop, nonce_sha256, customer, line_user, linked_at, linked_by, standby)
 ORDER BY shop, nonce_sha256
ON CONFLICT (shop, nonce_sha256) DO UPDATE
   SET customer = coalesce(a.customer, excluded.customer),
       line_user = coalesce(a.line_user, excluded.line_user),
       linked_at = coalesce(a.linked_at, excluded.linked_at),
       linked_by = coalesce(a.linked_by, excluded.linked_by),
       standby = coalesce(a.standby, excluded.standby)
RETURNING shop, customer, line_user, linked_at, linked_by, standby;

-- name: purge!
-- Forget nonces older than any redelivery of either half, as the inbox does (35 days).
DELETE FROM account_links WHERE told_at < now() - interval '35 days';
