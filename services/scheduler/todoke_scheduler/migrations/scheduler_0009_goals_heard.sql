-- Goals as they came: an entry that is heard of after a goal, and happened before it, counts it, and may end by it
-- depends: scheduler_0004_effects

-- migrate: apply
-- `goal`: its place in the campaign's list. `amount` in yen, NULL when it is not known.
CREATE TABLE goals_heard (
    trigger_id uuid PRIMARY KEY,
    campaign text NOT NULL,
    person_id uuid NOT NULL,
    key text NOT NULL,
    goal int NOT NULL,
    at timestamptz NOT NULL,
    amount double precision
);
CREATE INDEX goals_heard_of_person ON goals_heard (person_id, campaign);
CREATE INDEX goals_heard_by_age ON goals_heard USING brin (at);

-- migrate: rollback
DROP TABLE goals_heard;
