-- name: forget_unsent!
-- Dead letters that name one of the message ids $2, in quotes as JSON has them. Few letters ever wait, so all are read.
DELETE FROM outbox
 WHERE topic = $1 AND EXISTS (SELECT FROM unnest($2::bytea[]) AS unsent (id) WHERE position(id IN value) > 0);
