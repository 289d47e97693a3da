-- What runs come by and bring about: notes, arms, coupons, sends that caps count, goals
-- depends: scheduler_0003_paused

-- migrate: apply
-- `notes`: the coupon's code, answers. `arms`: the way taken at each split, by the split's name.
ALTER TABLE enrolments ADD COLUMN notes jsonb NOT NULL DEFAULT '{}', ADD COLUMN arms jsonb NOT NULL DEFAULT '{}';

-- Goals are counted for runs that are over, too, and `todoke explain` tells of them. Without `status`, so that a run's
-- end changes no index either.
CREATE INDEX enrolments_of_person ON enrolments (person_id, campaign);
DROP INDEX enrolments_active;

-- What somebody was sent by campaigns that caps hold for; `person_id` is whom they were known as then.
CREATE TABLE sends (
    person_id uuid NOT NULL,
    at timestamptz NOT NULL,
    campaign text NOT NULL,
    account text NOT NULL,
    lane text NOT NULL
);
CREATE INDEX sends_of_person ON sends (person_id, at);
CREATE INDEX sends_by_age ON sends USING brin (at);

-- A goal reached, once for a run and its trigger. `amount` in yen, NULL when it is not known.
CREATE TABLE conversions (
    enrolment_id uuid NOT NULL,
    trigger_id uuid NOT NULL,
    campaign text NOT NULL,
    at timestamptz NOT NULL,
    amount double precision,
    holdout boolean NOT NULL,
    PRIMARY KEY (enrolment_id, trigger_id)
);
CREATE INDEX conversions_of_campaign ON conversions (campaign, at);

-- Coupon codes by pool, given in the order in which they were put there; a step of a run has one at most.
CREATE TABLE coupon_pools (
    pool text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE coupon_codes (
    pool text NOT NULL REFERENCES coupon_pools,
    code text NOT NULL,
    place bigint GENERATED ALWAYS AS IDENTITY,
    enrolment_id uuid,
    step text,
    person_id uuid,
    assigned_at timestamptz,
    PRIMARY KEY (pool, code),
    UNIQUE (enrolment_id, step)
);
CREATE INDEX coupon_codes_free ON coupon_codes (pool, place) WHERE enrolment_id IS NULL;

-- migrate: rollback
DROP TABLE coupon_codes, coupon_pools, conversions, sends;
CREATE INDEX enrolments_active ON enrolments (person_id, campaign) WHERE status = 'active';
DROP INDEX enrolments_of_person;
ALTER TABLE enrolments DROP COLUMN notes, DROP COLUMN arms;
