-- A state is stored as it was written, and parsed by whoever asks SQL about it: with each event it is read and written
-- depends: segmenter_0003_segments segmenter_0009_published_states

-- migrate: apply
-- `state_before`: as releases before this one wrote it, until the person's next event; NULL once there is a `state`.
ALTER TABLE people RENAME COLUMN state TO state_before;
ALTER TABLE people ALTER COLUMN state_before DROP NOT NULL, ADD COLUMN state json;

-- pglz takes as long as all the rest of an update.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)) THEN
        ALTER TABLE people ALTER COLUMN state SET COMPRESSION lz4;
    END IF;
END
$$;

-- Parsed once, however often a condition names it (OFFSET 0), and only where it is asked for. `state_text`: not at all.
CREATE OR REPLACE VIEW published_states AS
SELECT p.person_id, coalesce(p.merged_into, p.person_id) AS current_id, s.shop, parsed.state,
       coalesce(s.state::text, s.state_before::text) AS state_text
  FROM people p JOIN people s ON s.person_id = coalesce(p.merged_into, p.person_id)
 CROSS JOIN LATERAL (SELECT coalesce(s.state::jsonb, s.state_before) AS state OFFSET 0) AS parsed;

-- migrate: rollback
DROP VIEW published_states;
UPDATE people SET state_before = coalesce(state::jsonb, state_before);
ALTER TABLE people DROP COLUMN state;
ALTER TABLE people RENAME COLUMN state_before TO state;
ALTER TABLE people ALTER COLUMN state SET NOT NULL;
CREATE VIEW published_states AS
SELECT p.person_id, coalesce(p.merged_into, p.person_id) AS current_id, s.shop, s.state
  FROM people p JOIN people s ON s.person_id = coalesce(p.merged_into, p.person_id);
