-- Only `timers`, the whole, is named here; what works on one day's partition is told its name by timers.py.

-- name: hold_days
-- These days have a partition each, and keep it until the transaction ends.
SELECT hold_timer_days($1::date[]);

-- name: save_timers!
-- When to look at a run again. A timer whose run has moved on is found stale when it fires.
INSERT INTO timers (due_at, enrolment, position)
SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::int[]);

-- name: hold_days_due
-- The days from $1 to $2 that have a partition, kept until the transaction ends; which it does, and gives back what it has
-- claimed, when it says nothing for as long as $3.
SELECT day, set_config('idle_in_transaction_session_timeout', $3, true) FROM timer_days
 WHERE day BETWEEN $1 AND $2 ORDER BY day FOR KEY SHARE;

-- name: claim_of_day
-- Take what is due of one day (`timers` stands for its partition, for a ctid means nothing beyond it), oldest first;
-- several schedulers share without waiting for each other. $1 leaves out what is known to be done: dead rows, which a
-- claim would otherwise walk through again and again. Gone from here means done in this same transaction: a crash
-- gives them back.
DELETE FROM timers WHERE ctid = any(ARRAY(
    SELECT ctid FROM timers WHERE due_at >= $1 AND due_at <= $2 ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
)) RETURNING due_at, enrolment, position;

-- name: days
-- The days that have a partition.
SELECT day FROM timer_days ORDER BY day;

-- name: next_of_day
-- When the next timer of one day is due (`timers` stands for its partition).
SELECT due_at FROM timers ORDER BY due_at LIMIT 1;

-- name: days_over
-- Days that have been over since before $1.
SELECT day FROM timer_days WHERE day < $1 ORDER BY day LIMIT 100;

-- name: drop_day
-- Drop a day's partition, if it is empty.
SELECT drop_timer_day($1);
