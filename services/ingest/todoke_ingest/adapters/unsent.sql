-- name: forget_unsent!
-- Spooled records of the topics $1 that name one of the message ids $2, in quotes as JSON has them.
DELETE FROM outbox
 WHERE topic = any($1::text[])
   AND EXISTS (SELECT FROM unnest($2::bytea[]) AS unsent (id) WHERE position(id IN value) > 0);
