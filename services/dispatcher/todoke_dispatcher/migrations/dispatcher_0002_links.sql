-- Links that our redirect answers for: in messages, on posters, in newsletters
-- depends: dispatcher_0001_ledger

-- migrate: apply
-- A link of a message has its place in it, so that a retry finds the token it has. `lane` stands with `message_id`.
-- A link of no message belongs to a campaign at most, and many people follow it.
CREATE TABLE links (
    token text PRIMARY KEY CHECK (token ~ '^[0-9A-Za-z]{22}$'),
    destination text NOT NULL,
    shop text NOT NULL,
    account text,
    lane text CHECK (lane IN ('transactional', 'marketing')),
    campaign text,
    step text,
    message_id uuid,
    place int,
    person_id uuid,
    enrolment_id uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    UNIQUE (message_id, place),
    CHECK ((message_id IS NULL) = (place IS NULL)),
    CHECK (message_id IS NULL OR (account IS NOT NULL AND lane IS NOT NULL))
);
CREATE INDEX links_of_person ON links (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX links_of_no_message ON links (created_at) WHERE message_id IS NULL;

-- Published: where a token leads, and whose click it is.
CREATE VIEW published_links AS
SELECT token, destination, shop, account, lane, campaign, step, message_id, person_id, enrolment_id, expires_at
  FROM links;

-- migrate: rollback
DROP VIEW published_links;
DROP TABLE links;
