-- Timers partitioned by the UTC day they are due; a day's table is made when the first is set, and dropped when it is over
-- depends: scheduler_0001_campaigns_and_timers

-- migrate: apply
ALTER TABLE timers RENAME TO timers_before;
ALTER INDEX timers_due RENAME TO timers_before_due;

-- `enrolment`, and no longer `enrolment_id`, so that a release from before fails here instead of claiming: it deletes
-- by ctid alone, and that would take other partitions' timers with it.
CREATE TABLE timers (
    due_at timestamptz NOT NULL,
    enrolment uuid NOT NULL,
    position int NOT NULL
) PARTITION BY RANGE (due_at);
CREATE INDEX timers_due ON timers (due_at);

-- The days that have a table. Whoever uses one holds its row FOR KEY SHARE, so that it is not dropped meanwhile.
CREATE TABLE timer_days (
    day date PRIMARY KEY
);

-- Hold these days (sorted, so that two batches wait for each other in one order), and make those that are not there.
-- ATTACH instead of PARTITION OF: it lets others go on reading and writing. Vacuum comes early and without a pause: a
-- timer lives once, and what is dead stands in the way of the next claim. As the owner, since a service makes no tables.
CREATE FUNCTION hold_timer_days(days date[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    wanted date;
    name text;
BEGIN
    FOREACH wanted IN ARRAY days LOOP
        LOOP
            PERFORM FROM scheduler.timer_days WHERE day = wanted FOR KEY SHARE;
            EXIT WHEN found;
            INSERT INTO scheduler.timer_days VALUES (wanted) ON CONFLICT DO NOTHING;
            CONTINUE WHEN NOT found;
            name := 'timers_' || to_char(wanted, 'YYYYMMDD');
            EXECUTE format(
                'CREATE TABLE scheduler.%I (LIKE scheduler.timers INCLUDING ALL) WITH (autovacuum_vacuum_cost_delay = 0, '
                'autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000)', name);
            EXECUTE format(
                'ALTER TABLE scheduler.timers ATTACH PARTITION scheduler.%I FOR VALUES FROM (%L) TO (%L)', name,
                wanted::timestamp AT TIME ZONE 'UTC', (wanted + 1)::timestamp AT TIME ZONE 'UTC');
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'todoke_scheduler') THEN
                EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON scheduler.%I TO todoke_scheduler', name);
            END IF;
        END LOOP;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION hold_timer_days FROM PUBLIC;
ALTER FUNCTION hold_timer_days SET search_path = pg_catalog, pg_temp;

-- Drop a day's table if it is empty; whether it was. Raises lock_not_available when the day is in use, or when timers
-- are so busy that the lock which DROP needs on the whole does not come soon.
CREATE FUNCTION drop_timer_day(wanted date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    name text := 'timers_' || to_char(wanted, 'YYYYMMDD');
    empty boolean;
BEGIN
    PERFORM FROM scheduler.timer_days WHERE day = wanted FOR UPDATE NOWAIT;
    IF NOT found THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT NOT EXISTS (SELECT FROM scheduler.%I)', name) INTO empty;
    IF empty THEN
        DELETE FROM scheduler.timer_days WHERE day = wanted;
        EXECUTE format('DROP TABLE scheduler.%I', name);
    END IF;
    RETURN empty;
END $$;
REVOKE ALL ON FUNCTION drop_timer_day FROM PUBLIC;
ALTER FUNCTION drop_timer_day SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION drop_timer_day SET lock_timeout = '200ms';

SELECT hold_timer_days(ARRAY(SELECT DISTINCT (due_at AT TIME ZONE 'UTC')::date FROM timers_before ORDER BY 1));
INSERT INTO timers (due_at, enrolment, position) SELECT due_at, enrolment_id, position FROM timers_before;
DROP TABLE timers_before;

-- A run moves on without a change to what is indexed, so that with room in its page that is an update of the page alone
-- (HOT). Half a page, since those who entered one after the other lie together and move on together.
ALTER TABLE enrolments SET (fillfactor = 50);
ALTER TABLE enrolments ADD COLUMN holdout boolean NOT NULL DEFAULT false;

-- migrate: rollback
ALTER TABLE enrolments DROP COLUMN holdout;
ALTER TABLE enrolments RESET (fillfactor);
CREATE TABLE timers_after (
    due_at timestamptz NOT NULL,
    enrolment_id uuid NOT NULL,
    position int NOT NULL
);
INSERT INTO timers_after SELECT due_at, enrolment, position FROM timers;
DROP FUNCTION drop_timer_day, hold_timer_days;
DROP TABLE timers, timer_days;
ALTER TABLE timers_after RENAME TO timers;
CREATE INDEX timers_due ON timers (due_at);
