-- What is stored of people is compressed by LZ4, where PostgreSQL was built with it: with each event a state is written anew
-- depends: segmenter_0003_segments

-- migrate: apply
-- pglz took a third of an update's time. What is stored already stays as it is until it is written again.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)) THEN
        ALTER TABLE people ALTER COLUMN state SET COMPRESSION lz4, ALTER COLUMN segments SET COMPRESSION lz4;
    END IF;
END
$$;

-- migrate: rollback
ALTER TABLE people ALTER COLUMN state SET COMPRESSION default, ALTER COLUMN segments SET COMPRESSION default;
