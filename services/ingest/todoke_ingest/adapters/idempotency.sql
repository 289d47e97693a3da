-- name: claim
-- The digest that a key stands for: $3, or the one that was claimed before. The update changes nothing; it makes the
-- row that is there come back, and one that is being inserted be waited for.
INSERT INTO idempotency AS i (shop, key, digest) VALUES ($1, $2, $3)
ON CONFLICT (shop, key) DO UPDATE SET digest = i.digest
RETURNING digest;

-- name: purge!
-- Keys of more than 24 hours ago, which no sender repeats any more.
DELETE FROM idempotency WHERE (shop, key) IN (
    SELECT shop, key FROM idempotency WHERE taken_at < now() - interval '24 hours' ORDER BY taken_at LIMIT 5000
);
