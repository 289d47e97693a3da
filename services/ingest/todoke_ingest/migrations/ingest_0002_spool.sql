-- What was taken while Kafka was away, waiting for its return in the form that every room's relay publishes
-- depends:

-- migrate: apply
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard int NOT NULL,
    topic text NOT NULL,
    key bytea,
    value bytea,
    headers jsonb NOT NULL
);

CREATE INDEX outbox_by_topic ON outbox (topic, id) WHERE shard >= 0;
CREATE INDEX outbox_by_key ON outbox (key);

-- One row: how full the spool is. Its lock makes the limit exact however many ingests fill it.
CREATE TABLE spool_room (
    only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
    bytes bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0)
);
INSERT INTO spool_room DEFAULT VALUES;

-- Whatever goes into the outbox takes room and whatever leaves it gives it back, whoever writes.
CREATE FUNCTION count_spool_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ingest.spool_room
       SET bytes = bytes + CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END * (
           SELECT coalesce(sum(coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0)), 0) FROM changed);
    RETURN NULL;
END $$;
CREATE TRIGGER take_room AFTER INSERT ON outbox
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_spool_room();
CREATE TRIGGER give_room_back AFTER DELETE ON outbox
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_spool_room();

-- migrate: rollback
DROP TABLE outbox, spool_room;
DROP FUNCTION count_spool_room;
