-- name: list_requests
-- What is still to be done, most pressing first; with $1 also what is done.
SELECT shop, id, kind, subject, received_at, due_at, done_at FROM privacy_requests
 WHERE $1::boolean OR done_at IS NULL ORDER BY done_at IS NOT NULL, due_at, shop, id;

-- name: finish_request
-- The first instant stays: it is the evidence.
UPDATE privacy_requests SET done_at = coalesce(done_at, now()) WHERE id = $1
RETURNING shop, id, kind, subject, received_at, due_at, done_at;
