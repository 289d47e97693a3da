-- name: current_versions
-- Which version of each campaign is in force.
SELECT campaign, version FROM scheduler.current_campaigns;

-- name: budgets
-- What these versions say of their accounts and budgets.
SELECT campaign, version, coalesce(document ->> 'account', 'main') AS account, document -> 'budget' AS budget
  FROM scheduler.published_campaigns
 WHERE (campaign, version) IN (SELECT * FROM unnest($1::text[], $2::int[]));

-- name: lock_campaigns
-- The month's rows of these campaigns, locked in the order of their names.
SELECT campaign, messages FROM campaign_quotas
 WHERE month = $1 AND campaign = any($2::text[]) ORDER BY campaign FOR UPDATE;

-- name: add_campaigns!
-- A campaign's month begins. Sorted by the caller.
INSERT INTO campaign_quotas (month, campaign) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING;

-- name: read_campaigns
-- The month's rows of these campaigns as they stand.
SELECT campaign, messages FROM campaign_quotas WHERE month = $1 AND campaign = any($2::text[]);

-- name: reserve_campaigns
-- Before the attempt, together with the account's month. Nobody passes their limit $4, whatever the caller believes. The
-- rows are locked by lock_campaigns.
UPDATE campaign_quotas q SET messages = q.messages + r.messages
  FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS r (campaign, messages, most)
 WHERE q.month = $1 AND q.campaign = r.campaign AND (r.most IS NULL OR q.messages + r.messages <= r.most)
RETURNING q.campaign;

-- name: give_back_campaigns!
-- LINE has definitively not taken these. Never below 0: a release before this one took places and counted no campaign.
WITH locked AS (
    SELECT q.month, q.campaign, r.messages
      FROM campaign_quotas q
      JOIN unnest($1::date[], $2::text[], $3::bigint[]) AS r (month, campaign, messages) USING (month, campaign)
     ORDER BY q.month DESC, q.campaign FOR UPDATE OF q
)
UPDATE campaign_quotas q SET messages = greatest(0, q.messages - l.messages)
  FROM locked l WHERE q.month = l.month AND q.campaign = l.campaign;
