-- Budgets of campaigns, what LINE itself counts of a month, and messages by day
-- depends: dispatcher_0003_multicasts dispatcher_0010_published_deliveries

-- migrate: apply
-- LINE's own word on the month: `line_limit` (NULL: none) and `line_used` as of `line_at`, when the ledger had `line_ours`;
-- `elsewhere` is what LINE then counted beyond it. `ask_line_at`: from when on LINE is asked again. `told`: the highest
-- percentage of the limit that was told of.
ALTER TABLE quotas
    ADD COLUMN line_limit bigint,
    ADD COLUMN line_used bigint,
    ADD COLUMN line_ours bigint,
    ADD COLUMN line_at timestamptz,
    ADD COLUMN elsewhere bigint NOT NULL DEFAULT 0 CHECK (elsewhere >= 0),
    ADD COLUMN ask_line_at timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN told int NOT NULL DEFAULT 0;

-- Messages reserved of a month by campaign, in all accounts: those of `quotas` that a campaign owes.
CREATE TABLE campaign_quotas (
    month date NOT NULL,
    campaign text NOT NULL,
    messages bigint NOT NULL DEFAULT 0 CHECK (messages >= 0),
    told int NOT NULL DEFAULT 0,
    PRIMARY KEY (month, campaign)
) WITH (fillfactor = 50);
INSERT INTO campaign_quotas (month, campaign, messages)
SELECT quota_month, campaign, count(*) FROM deliveries
 WHERE campaign IS NOT NULL AND quota_month >= date_trunc('month', now() AT TIME ZONE 'Asia/Tokyo')::date
 GROUP BY quota_month, campaign;

-- What a day (Asia/Tokyo) added to its month, less what was given back on it: the days of a month add up to it.
CREATE TABLE quota_days (
    account text NOT NULL,
    day date NOT NULL,
    messages bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account, day)
) WITH (fillfactor = 50);

-- The campaign that owes every member. Groups from before are of the first member's, as far as they are not settled.
ALTER TABLE multicasts ADD COLUMN campaign text;
UPDATE multicasts m SET campaign = d.campaign FROM deliveries d
 WHERE m.state IN ('waiting', 'attempting') AND d.message_id = m.members[1];

-- Held messages by campaign, so that those of one whose budget is used up are never read in search of others.
DROP INDEX deliveries_held;
CREATE INDEX deliveries_held ON deliveries (account, lane, coalesce(campaign, ''), next_attempt_at) WHERE state = 'held';

-- migrate: rollback
DROP INDEX deliveries_held;
CREATE INDEX deliveries_held ON deliveries (account, lane, next_attempt_at) WHERE state = 'held';
ALTER TABLE multicasts DROP COLUMN campaign;
DROP TABLE quota_days, campaign_quotas;
ALTER TABLE quotas DROP COLUMN line_limit, DROP COLUMN line_used, DROP COLUMN line_ours, DROP COLUMN line_at,
    DROP COLUMN elsewhere, DROP COLUMN ask_line_at, DROP COLUMN told;
