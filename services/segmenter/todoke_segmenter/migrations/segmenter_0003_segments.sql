-- Published segments, and of each person: which they are in, and when the clock has to look again
-- depends: segmenter_0001_people

-- migrate: apply
-- A version is never changed. `revision` counts publications of all segments together: who was asked at one knows them all.
CREATE TABLE segment_versions (
    segment text NOT NULL,
    version int NOT NULL,
    revision int NOT NULL UNIQUE,
    document jsonb NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (segment, version)
);

CREATE VIEW current_segments AS
SELECT DISTINCT ON (segment) segment, version, revision, document FROM segment_versions ORDER BY segment, version DESC;

-- `segments`: {name: since}. `segments_left`: {name: at}, of late. `segments_revision`: NULL until their first event.
-- Whoever was there before segments were is asked in the background, as after any publication.
ALTER TABLE people
    ADD COLUMN segments jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN segments_left jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN segments_revision int DEFAULT 0,
    ADD COLUMN checked_at timestamptz,
    ADD COLUMN next_check_at timestamptz;
ALTER TABLE people ALTER COLUMN segments_revision DROP DEFAULT;
-- An event rarely changes what is indexed, so that most updates stay within a page: room for them is left there.
ALTER TABLE people SET (fillfactor = 80);
CREATE INDEX people_due ON people (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX people_outdated ON people (segments_revision) WHERE merged_into IS NULL;

-- migrate: rollback
DROP VIEW current_segments;
DROP INDEX people_due, people_outdated;
ALTER TABLE people RESET (fillfactor);
ALTER TABLE people
    DROP COLUMN segments, DROP COLUMN segments_left, DROP COLUMN segments_revision, DROP COLUMN checked_at,
    DROP COLUMN next_check_at;
DROP TABLE segment_versions;
