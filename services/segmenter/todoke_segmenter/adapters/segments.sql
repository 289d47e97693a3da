-- name: last_revision$
-- How many publications there have been.
SELECT coalesce(max(revision), 0) FROM segment_versions;

-- name: current_segments
-- The segments in force.
SELECT segment, version, revision, document FROM current_segments ORDER BY segment;

-- name: lock!
-- Two publishers take turns.
SELECT pg_advisory_xact_lock(hashtext('todoke.publish-segments'));

-- name: publish!
-- The next version of a segment.
INSERT INTO segment_versions (segment, version, revision, document) VALUES ($1, $2, $3, $4);
