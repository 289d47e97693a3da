-- Nonces of LINE's account link that one side has told of, or both (adapters/account_links.py)
-- depends:

-- migrate: apply
-- The hash alone: a nonce that is not spent yet lets whoever has it link a member's account to their own LINE.
CREATE TABLE account_links (
    shop text NOT NULL,
    nonce_sha256 text NOT NULL,
    customer text,
    line_user text,
    linked_at timestamptz,
    linked_by uuid,
    standby bool,
    told_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shop, nonce_sha256)
);
CREATE INDEX account_links_by_age ON account_links (told_at);

-- migrate: rollback
DROP TABLE account_links;
