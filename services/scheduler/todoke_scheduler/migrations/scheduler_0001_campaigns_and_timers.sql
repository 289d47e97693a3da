-- Published campaigns, enrolments, timers, and the tables that make a batch exactly-once
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

-- A version is never changed: running enrolments finish on the one they began with.
CREATE TABLE campaign_versions (
    campaign text NOT NULL,
    version int NOT NULL,
    document jsonb NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign, version)
);

CREATE TABLE journeys (
    campaign text NOT NULL,
    person_id uuid NOT NULL,
    key text NOT NULL,
    entered_at timestamptz,
    exited_at timestamptz,
    PRIMARY KEY (campaign, person_id, key)
);

CREATE TABLE enrolments (
    enrolment_id uuid PRIMARY KEY,
    campaign text NOT NULL,
    version int NOT NULL,
    shop text NOT NULL,
    person_id uuid NOT NULL,
    key text NOT NULL,
    started_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    position int NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'ended', 'done')),
    ends_at timestamptz,
    end_reason text,
    context jsonb NOT NULL
);
CREATE INDEX enrolments_active ON enrolments (person_id, campaign) WHERE status = 'active';

CREATE TABLE timers (
    due_at timestamptz NOT NULL,
    enrolment_id uuid NOT NULL,
    position int NOT NULL
);
CREATE INDEX timers_due ON timers (due_at);

CREATE TABLE decisions (
    person_id uuid NOT NULL,
    campaign text NOT NULL,
    enrolment_id uuid,
    step text,
    decision text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX decisions_of_person ON decisions (person_id, campaign, at);

-- Published: what other rooms may read.
CREATE VIEW published_campaigns AS SELECT campaign, version, document FROM campaign_versions;
CREATE VIEW current_campaigns AS SELECT campaign, max(version) AS version FROM campaign_versions GROUP BY campaign;

-- migrate: rollback
DROP VIEW current_campaigns, published_campaigns;
DROP TABLE decisions, timers, enrolments, journeys, campaign_versions, outbox, inbox, consumed;
