-- Campaigns that people enter by a date have segments of their own among the versions; they are shown to nobody
-- depends: segmenter_0008_withdrawn_segments

-- migrate: apply
-- `segment` is then `campaign:` and the campaign's name, which no segment of a shop's can be called.
CREATE OR REPLACE VIEW current_segments AS
SELECT segment, version, revision, document
  FROM (SELECT DISTINCT ON (segment) * FROM segment_versions ORDER BY segment, version DESC) AS newest
 WHERE NOT withdrawn AND segment NOT LIKE 'campaign:%';

-- migrate: rollback
CREATE OR REPLACE VIEW current_segments AS
SELECT segment, version, revision, document
  FROM (SELECT DISTINCT ON (segment) * FROM segment_versions ORDER BY segment, version DESC) AS newest
 WHERE NOT withdrawn;
DELETE FROM segment_versions WHERE segment LIKE 'campaign:%';
