-- name: find_links
-- Where these tokens lead, by the dispatcher's published view.
SELECT token, destination, shop, account, lane, campaign, step, message_id, person_id, enrolment_id, expires_at
  FROM dispatcher.published_links WHERE token = any($1::text[]);
