-- name: save_decisions!
-- Why somebody did not get a message, or did not enter.
INSERT INTO decisions (person_id, campaign, enrolment_id, step, decision, at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[]);
