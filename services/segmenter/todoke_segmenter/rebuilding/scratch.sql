-- The scratch schema `segmenter_rebuild`. All names are qualified: the operator's search_path is of no consequence.

-- name: campaigns
-- The campaigns in force.
SELECT campaign, version FROM scheduler.current_campaigns ORDER BY campaign;

-- name: segments_revision$
-- The last publication of segments.
SELECT coalesce(max(revision), 0) FROM segmenter.segment_versions;

-- name: read_plan$
-- As text: msgspec reads it.
SELECT document::text FROM segmenter_rebuild.plan;

-- name: create_plan!
-- One row.
CREATE TABLE segmenter_rebuild.plan (document jsonb NOT NULL);

-- name: keep_plan!
-- With what the rebuild began.
INSERT INTO segmenter_rebuild.plan (document) VALUES ($1::text::jsonb);

-- name: copy_segments!
-- The same questions are asked.
INSERT INTO segmenter_rebuild.segment_versions SELECT * FROM segmenter.segment_versions;

-- name: drop!
-- With all that is in it.
DROP SCHEMA IF EXISTS segmenter_rebuild CASCADE;

-- name: forget_migrations!
-- Or the next one would be taken to be up to date.
DELETE FROM public._pogo_migration WHERE schema_name = $1;
