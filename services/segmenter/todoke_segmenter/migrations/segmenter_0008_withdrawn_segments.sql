-- A segment can be withdrawn: a version of its own, with a revision of its own
-- depends: segmenter_0003_segments

-- migrate: apply
-- `document` is then what was in force before.
ALTER TABLE segment_versions ADD COLUMN withdrawn bool NOT NULL DEFAULT false;

CREATE OR REPLACE VIEW current_segments AS
SELECT segment, version, revision, document
  FROM (SELECT DISTINCT ON (segment) * FROM segment_versions ORDER BY segment, version DESC) AS newest
 WHERE NOT withdrawn;

-- migrate: rollback
CREATE OR REPLACE VIEW current_segments AS
SELECT DISTINCT ON (segment) segment, version, revision, document FROM segment_versions ORDER BY segment, version DESC;
DELETE FROM segment_versions WHERE withdrawn;
ALTER TABLE segment_versions DROP COLUMN withdrawn;
