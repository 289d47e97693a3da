-- name: recalls
-- Campaigns whose broadcasts an operator has cancelled, and when, by the shop's time.
SELECT campaign, recalled_at FROM scheduler.published_recalls;
