-- Every click on a link in a message, for reports; those on links that all copies of a message share among them
-- depends: scheduler_0006_clicks

-- migrate: apply
-- `message_id` NULL: a shared link, and `step` says of which message. Otherwise the dispatcher knows the step.
CREATE TABLE every_click (
    click_id uuid PRIMARY KEY,
    campaign text NOT NULL,
    step text,
    message_id uuid,
    at timestamptz NOT NULL
);
CREATE INDEX every_click_of_campaign ON every_click (campaign, message_id);

-- migrate: rollback
DROP TABLE every_click;
