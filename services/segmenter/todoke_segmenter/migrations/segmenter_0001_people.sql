-- People, their identifiers, and the tables that make a batch exactly-once
-- depends:

-- migrate: apply
CREATE TABLE consumed (
    cluster text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    before bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (cluster, topic, partition)
);

CREATE TABLE inbox (
    key uuid PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_by_age ON inbox USING brin (received_at);

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard int NOT NULL,
    topic text NOT NULL,
    key bytea,
    value bytea,
    headers jsonb NOT NULL
);

CREATE TABLE people (
    person_id uuid PRIMARY KEY,
    shop text NOT NULL,
    merged_into uuid,
    state jsonb NOT NULL,
    facts jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX people_merged ON people (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE identities (
    shop text NOT NULL,
    identifier text NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (shop, identifier)
);
CREATE INDEX identities_of_person ON identities (person_id);

CREATE TABLE friend_status (
    account text NOT NULL,
    user_id text NOT NULL,
    shop text NOT NULL,
    person_id uuid NOT NULL,
    is_friend bool NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (account, user_id)
);
CREATE INDEX friend_status_of_person ON friend_status (person_id);

-- Published: what other rooms may read.
CREATE VIEW friends AS SELECT shop, account, user_id, person_id, is_friend FROM friend_status;

CREATE VIEW published_people AS
SELECT p.person_id, coalesce(p.merged_into, p.person_id) AS current_id, s.shop, s.facts
  FROM people p JOIN people s ON s.person_id = coalesce(p.merged_into, p.person_id);

-- migrate: rollback
DROP VIEW published_people, friends;
DROP TABLE friend_status, identities, people, outbox, inbox, consumed;
