-- Cancelled broadcasts, for the dispatcher: what of them has not gone out is dropped
-- depends: scheduler_0005_broadcasts

-- migrate: apply
-- `recalled_at`: the shop's time at which an operator cancelled it.
ALTER TABLE broadcasts ADD COLUMN recalled_at timestamptz;
CREATE INDEX broadcasts_recalled ON broadcasts (campaign, recalled_at) WHERE recalled_at IS NOT NULL;

-- Published: what these campaigns owed until then is no longer wanted.
CREATE VIEW published_recalls AS
SELECT campaign, max(recalled_at) AS recalled_at FROM broadcasts WHERE recalled_at IS NOT NULL GROUP BY campaign;

-- migrate: rollback
DROP VIEW published_recalls;
ALTER TABLE broadcasts DROP COLUMN recalled_at;
