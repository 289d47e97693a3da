-- name: advance_positions
-- Lock each partition's row and move it past the batch. `before` is where it stood when it was locked, so that of two
-- rivals the second sees what the first has committed, a partition's very first batch included. (It is kept in the row
-- since only PostgreSQL 18 can return a row's old values.)
-- The upsert locks rows in the order given (sorted by the caller), so two batches cannot deadlock.
INSERT INTO consumed AS c (cluster, topic, partition, next_offset)
SELECT $1, b.topic, b.partition, b.next_offset
  FROM unnest($2::text[], $3::int[], $4::bigint[]) AS b (topic, partition, next_offset)
 ORDER BY b.topic, b.partition
ON CONFLICT (cluster, topic, partition)
DO UPDATE SET before = c.next_offset, next_offset = greatest(c.next_offset, excluded.next_offset)
RETURNING topic, partition, before;

-- name: admit
-- Keep the identities that were not known. $1 is sorted, so that two batches wait for each other in one order.
INSERT INTO inbox (key) SELECT unnest($1::uuid[]) ON CONFLICT (key) DO NOTHING RETURNING key;

-- name: purge_inbox!
-- Forget identities older than any redelivery (RELIABILITY: 35 days), some at a time to keep the lock short.
DELETE FROM inbox WHERE key IN (
    SELECT key FROM inbox WHERE received_at < now() - interval '35 days' ORDER BY received_at LIMIT 5000
);

-- name: put_outbox!
-- Records to publish after the commit.
INSERT INTO outbox (shard, topic, key, value, headers)
SELECT shard, topic, key, value, coalesce(headers, '{}')
  FROM unnest($1::int[], $2::text[], $3::bytea[], $4::bytea[], $5::jsonb[]) AS r (shard, topic, key, value, headers);

-- name: lock_shards
-- The shards that this relay now owns: a session lock, so a dead relay's shards are soon free.
SELECT shard FROM generate_series(0, $1::int - 1) AS shard
 WHERE pg_try_advisory_lock(hashtext($2::text), shard);

-- name: read_outbox
-- The oldest records of the shards owned, but for the topics $4, up to $2 of them and about $3 bytes. No high-water mark: a late commit with
-- a lower id is still found.
SELECT id, topic, key, value, headers
  FROM (SELECT *, sum(octet_length(value)) OVER (ORDER BY id) - octet_length(value) AS bytes_before
          FROM (SELECT * FROM outbox WHERE shard = any($1::int[]) AND topic <> all($4::text[]) ORDER BY id LIMIT $2) AS oldest) AS counted
 WHERE coalesce(bytes_before, 0) < $3::bigint
 ORDER BY id;

-- name: set_aside!
-- Records that Kafka will never take: out of every relay's reach, for a person to see to.
UPDATE outbox SET shard = -1 WHERE id = any($1::bigint[]);

-- name: delete_outbox!
-- Published and acknowledged.
DELETE FROM outbox WHERE id = any($1::bigint[]);
