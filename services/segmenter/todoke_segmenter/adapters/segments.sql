-- name: last_revision$
-- How many publications there have been.
SELECT coalesce(max(revision), 0) FROM segment_versions;

-- name: current_segments
-- The segments in force.
SELECT segment, version, revision, document FROM current_segments ORDER BY segment;

-- name: newest
-- The newest version of each segment, in force or withdrawn, and the revision at which it was last withdrawn, if ever.
SELECT DISTINCT ON (segment) segment, version, revision, document, withdrawn,
       max(revision) FILTER (WHERE withdrawn) OVER (PARTITION BY segment) AS withdrawn_at
  FROM segment_versions ORDER BY segment, version DESC;

-- name: last_versions
-- The last version of each segment, in force or withdrawn.
SELECT segment, max(version) AS version FROM segment_versions GROUP BY segment;

-- name: lock!
-- Two publishers take turns.
SELECT pg_advisory_xact_lock(hashtext('todoke.publish-segments'));

-- name: lock_campaigns!
-- Nobody publishes a campaign meanwhile: the scheduler's lock of the same name.
SELECT pg_advisory_xact_lock(hashtext('todoke.publish'));

-- name: publish!
-- The next version of a segment.
INSERT INTO segment_versions (segment, version, revision, document) VALUES ($1, $2, $3, $4);

-- name: withdraw!
-- No version of a segment is in force, from revision $2 on.
INSERT INTO segment_versions (segment, version, revision, document, withdrawn)
SELECT segment, version + 1, $2, document, true FROM current_segments WHERE segment = $1;

-- name: campaigns
-- The campaigns in force.
SELECT campaign, version, document
  FROM scheduler.published_campaigns JOIN scheduler.current_campaigns USING (campaign, version) ORDER BY campaign;

-- name: publish_dates!
-- The next versions of the campaigns' own segments: $2 names, $3 versions, $4 documents, $5 whether they are withdrawn.
INSERT INTO segment_versions (segment, version, revision, document, withdrawn)
SELECT n.segment, n.version, $1::int + n.place, n.document::jsonb, n.withdrawn
  FROM unnest($2::text[], $3::int[], $4::text[], $5::bool[]) WITH ORDINALITY
    AS n (segment, version, document, withdrawn, place);
