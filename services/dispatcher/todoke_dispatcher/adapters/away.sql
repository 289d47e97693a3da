-- name: hurry_deliveries!
-- LINE is back: the pauses of what it gave no clear answer to are cut short. One under way has no reason yet, and its
-- due time is its lease: it is left alone. $3: how often a message may have been asked about, at most.
UPDATE deliveries SET next_attempt_at = $2
 WHERE account = $1 AND state = 'attempting' AND multicast_id IS NULL AND (lane = 'transactional' OR body IS NOT NULL)
   AND reason IS NOT NULL AND attempts <= $3 AND next_attempt_at > $2;

-- name: hurry_multicasts!
-- The same for groups.
UPDATE multicasts SET next_attempt_at = $2
 WHERE account = $1 AND state = 'attempting' AND reason IS NOT NULL AND attempts <= $3 AND next_attempt_at > $2;
