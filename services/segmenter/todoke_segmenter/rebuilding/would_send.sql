-- What the fold found, and what the scheduler has heard of. An operator's rights are needed: no service sees all of it.

-- name: triggers
-- What the fold has put into its outbox.
SELECT value FROM outbox WHERE topic = $1 ORDER BY id;

-- name: unreadable$
-- Dead letters that the fold would have written.
SELECT count(*) FROM outbox WHERE topic <> $1;

-- name: published
-- Since when each campaign's present version is in force.
SELECT campaign, max(published_at) AS published_at FROM scheduler.campaign_versions GROUP BY campaign;

-- name: known
-- Those of the triggers $1 that the scheduler has taken.
SELECT key FROM scheduler.inbox WHERE key = any($1::uuid[]);

-- name: waiting
-- Triggers that have not left the segmenter.
SELECT count(*) FROM segmenter.outbox WHERE topic = $1 AND shard >= 0;

-- name: taken
-- How far the scheduler is in a topic.
SELECT partition, next_offset FROM scheduler.consumed WHERE cluster = $1 AND topic = $2;
