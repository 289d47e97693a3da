-- name: forget_unsent!
-- Spooled records of the people $3 (or of nobody: dead letters) in the topics $1 that name one of the message ids $2, in
-- quotes as JSON has them.
DELETE FROM outbox
 WHERE topic = any($1::text[]) AND (key = any($3::bytea[]) OR (key IS NULL AND topic = $1[2]))
   AND EXISTS (SELECT FROM unnest($2::bytea[]) AS unsent (id) WHERE position(id IN value) > 0);
