-- What broadcasts will come to, for the dispatcher's forecast of the month
-- depends: scheduler_0003_paused scheduler_0005_broadcasts

-- migrate: apply
-- `expected`: messages, as counted before it was planned; NULL: nobody counted.
ALTER TABLE broadcasts ADD COLUMN expected bigint;

-- Published: what is planned and under way, as the version in force has it. `every`: day, month, a weekday, or NULL:
-- once. `messages`: of the whole broadcast, by its own count or by the last one of its campaign; `messages_left`: still
-- to come of this one.
CREATE VIEW published_broadcasts AS
SELECT b.broadcast_id, b.campaign, coalesce(v.document ->> 'account', 'main') AS account, b.due_at, b.state,
       v.document #>> '{enter,schedule,every}' AS every, e.messages,
       CASE WHEN b.state = 'planned' THEN e.messages ELSE greatest(0, e.messages - b.entered) END AS messages_left
  FROM broadcasts b
  JOIN current_campaigns c USING (campaign)
  JOIN campaign_versions v ON v.campaign = c.campaign AND v.version = c.version
 CROSS JOIN LATERAL (
    SELECT coalesce(
        b.expected,
        (SELECT d.entered - d.holdout - d.left_out FROM broadcasts d
          WHERE d.campaign = b.campaign AND d.state = 'done' ORDER BY d.due_at DESC LIMIT 1),
        0
    ) AS messages
 ) AS e
 WHERE b.state IN ('planned', 'running');

-- migrate: rollback
DROP VIEW published_broadcasts;
ALTER TABLE broadcasts DROP COLUMN expected;
