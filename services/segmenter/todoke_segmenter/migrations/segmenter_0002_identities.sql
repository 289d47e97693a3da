-- Since when an identifier is whose, and whom an e-mail address or a telephone number may name
-- depends: segmenter_0001_people

-- migrate: apply
-- `links`: the logins that gave the identifier away, newest last; NULL while there was none. `linked_at`: the newest.
ALTER TABLE identities ADD COLUMN linked_at timestamptz, ADD COLUMN links jsonb;

-- `moved`: an identifier of theirs has gone to somebody else, so that whoever looked it up before locking looks again.
ALTER TABLE people
    ADD COLUMN moved bool NOT NULL DEFAULT false,
    ADD COLUMN email_sha256 text,
    ADD COLUMN phone_sha256 text;
CREATE INDEX people_by_email ON people (shop, email_sha256) WHERE email_sha256 IS NOT NULL;
CREATE INDEX people_by_phone ON people (shop, phone_sha256) WHERE phone_sha256 IS NOT NULL;

-- migrate: rollback
DROP INDEX people_by_email, people_by_phone;
ALTER TABLE people DROP COLUMN moved, DROP COLUMN email_sha256, DROP COLUMN phone_sha256;
ALTER TABLE identities DROP COLUMN linked_at, DROP COLUMN links;
