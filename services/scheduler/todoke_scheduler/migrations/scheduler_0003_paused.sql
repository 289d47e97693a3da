-- Campaigns that are paused: entries go on being recorded, and no step is done until they are resumed
-- depends: scheduler_0002_timers_by_day

-- migrate: apply
CREATE TABLE paused_campaigns (
    campaign text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now()
);

CREATE OR REPLACE VIEW current_campaigns AS
SELECT v.campaign, max(v.version) AS version, p.since AS paused_since
  FROM campaign_versions v LEFT JOIN paused_campaigns p USING (campaign) GROUP BY v.campaign, p.since;

-- migrate: rollback
DROP VIEW current_campaigns;
CREATE VIEW current_campaigns AS SELECT campaign, max(version) AS version FROM campaign_versions GROUP BY campaign;
DROP TABLE paused_campaigns;
