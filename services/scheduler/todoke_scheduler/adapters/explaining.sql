-- name: people_named
-- Every id of whom the identifier $1, or the person id $2, means now.
WITH known AS (
    SELECT DISTINCT current_id FROM segmenter.published_people
     WHERE person_id = any(array(SELECT person_id FROM segmenter.published_identities WHERE identifier = $1) || $2::uuid)
)
SELECT current_id AS person_id FROM known
UNION ALL
SELECT person_id FROM known JOIN segmenter.published_aliases USING (current_id)
ORDER BY person_id;

-- name: runs_of
-- The runs of these people in a campaign.
SELECT * FROM enrolments WHERE person_id = any($1::uuid[]) AND campaign = $2 ORDER BY started_at, enrolment_id;

-- name: decided
-- The decision log about these people in a campaign.
SELECT enrolment_id, step, decision, at FROM decisions WHERE person_id = any($1::uuid[]) AND campaign = $2 ORDER BY at;

-- name: delivered
-- What became of messages to these people by a campaign.
SELECT enrolment_id, step, state, reason, received_at FROM dispatcher.published_deliveries
 WHERE person_id = any($1::uuid[]) AND campaign = $2 ORDER BY received_at;
