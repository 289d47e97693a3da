-- What each service's role may do. Every block first takes a schema's tables back from the other services, so that
-- a view which is no longer published is closed by the next `todoke migrate`. It is one transaction: no service ever
-- finds less than what it had and keeps.

-- name: missing_roles
-- Those of the roles $1 that this server does not have.
SELECT wanted FROM unnest($1::text[]) AS w (wanted)
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) ORDER BY wanted;

-- name: schemas
-- The schemas of this database.
SELECT nspname FROM pg_namespace;

-- name: lock!
-- Two `todoke migrate` at once take turns: granting side by side fails with "tuple concurrently updated".
SELECT pg_advisory_xact_lock(7393487);

-- name: platform!
-- The fleet's clock: every service follows it, only an operator sets it.
REVOKE ALL ON ALL TABLES IN SCHEMA platform FROM todoke_ingest, todoke_segmenter, todoke_scheduler, todoke_dispatcher;
GRANT USAGE ON SCHEMA platform TO todoke_ingest, todoke_segmenter, todoke_scheduler, todoke_dispatcher;
GRANT SELECT ON platform.simulated_clock TO todoke_ingest, todoke_segmenter, todoke_scheduler, todoke_dispatcher;

-- name: ingest!
-- Its own tables; it publishes none.
REVOKE ALL ON ALL TABLES IN SCHEMA ingest FROM todoke_segmenter, todoke_scheduler, todoke_dispatcher;
GRANT USAGE ON SCHEMA ingest TO todoke_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ingest TO todoke_ingest;
REVOKE INSERT, UPDATE, DELETE ON ingest.keys FROM todoke_ingest;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ingest TO todoke_ingest;

-- name: segmenter!
-- Its own tables; published: who is a friend, what a message may say of a person, and the products; to the scheduler
-- alone all that is known of a person and what segments ask for, for its conditions, and the names people are known by.
REVOKE ALL ON ALL TABLES IN SCHEMA segmenter FROM todoke_ingest, todoke_scheduler, todoke_dispatcher;
GRANT USAGE ON SCHEMA segmenter TO todoke_segmenter, todoke_scheduler, todoke_dispatcher;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA segmenter TO todoke_segmenter;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA segmenter TO todoke_segmenter;
GRANT SELECT ON segmenter.friends, segmenter.published_people TO todoke_scheduler, todoke_dispatcher;
GRANT SELECT ON segmenter.published_products TO todoke_scheduler, todoke_dispatcher;
GRANT SELECT ON segmenter.published_states, segmenter.published_identities, segmenter.published_aliases TO todoke_scheduler;
GRANT SELECT ON segmenter.current_segments TO todoke_scheduler;

-- name: scheduler!
-- Its own tables; published: the campaigns, in all versions and in the one in force; to the dispatcher alone what
-- broadcasts will come to.
REVOKE ALL ON ALL TABLES IN SCHEMA scheduler FROM todoke_ingest, todoke_segmenter, todoke_dispatcher;
GRANT USAGE ON SCHEMA scheduler TO todoke_scheduler, todoke_segmenter, todoke_dispatcher, todoke_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA scheduler TO todoke_scheduler;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA scheduler TO todoke_scheduler;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA scheduler TO todoke_scheduler;
GRANT SELECT ON scheduler.published_campaigns, scheduler.current_campaigns TO todoke_segmenter, todoke_dispatcher;
GRANT SELECT ON scheduler.current_campaigns TO todoke_ingest;
GRANT SELECT ON scheduler.published_broadcasts, scheduler.published_recalls TO todoke_dispatcher;

-- name: dispatcher!
-- Its own tables; published: where tracked links lead, and, to the scheduler alone, what became of each message.
REVOKE ALL ON ALL TABLES IN SCHEMA dispatcher FROM todoke_ingest, todoke_segmenter, todoke_scheduler;
GRANT USAGE ON SCHEMA dispatcher TO todoke_dispatcher, todoke_ingest, todoke_scheduler;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA dispatcher TO todoke_dispatcher;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA dispatcher TO todoke_dispatcher;
GRANT SELECT ON dispatcher.published_links TO todoke_ingest;
GRANT SELECT ON dispatcher.published_deliveries TO todoke_scheduler;
