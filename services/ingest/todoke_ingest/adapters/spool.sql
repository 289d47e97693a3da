-- name: lock_room
-- Whether $1 bytes more still leave the spool at no more than $2, until this transaction ends: its size then, or no row.
SELECT bytes + $1::bigint FROM spool_room WHERE bytes + $1::bigint <= $2::bigint FOR UPDATE;

-- name: last
-- The newest record that this transaction has put in: the room's lock keeps all others out until it commits.
SELECT max(id) FROM outbox;

-- name: look
-- How full the spool is, and of which of the topics $2 records up to $1 (any at all, when null) wait for Kafka. What the
-- relay has set aside does not: Kafka will never take it.
SELECT bytes,
       ARRAY(SELECT topic FROM unnest($2::text[]) AS t (topic)
              WHERE EXISTS (SELECT FROM outbox o
                             WHERE o.topic = t.topic AND o.shard >= 0 AND ($1::bigint IS NULL OR o.id <= $1))) AS waiting
  FROM spool_room;
