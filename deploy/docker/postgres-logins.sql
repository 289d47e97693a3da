-- Run once by the postgres image, on an empty volume: a login user per service, in the group whose rights
-- `todoke migrate` grants. Each service so sees its own tables and what the others publish, and nothing else.
\set ON_ERROR_STOP on
\getenv ingest TODOKE_INGEST_PASSWORD
\getenv segmenter TODOKE_SEGMENTER_PASSWORD
\getenv scheduler TODOKE_SCHEDULER_PASSWORD
\getenv dispatcher TODOKE_DISPATCHER_PASSWORD
CREATE ROLE todoke_ingest NOLOGIN;
CREATE ROLE todoke_segmenter NOLOGIN;
CREATE ROLE todoke_scheduler NOLOGIN;
CREATE ROLE todoke_dispatcher NOLOGIN;
CREATE ROLE ingest_login LOGIN PASSWORD :'ingest' IN ROLE todoke_ingest;
CREATE ROLE segmenter_login LOGIN PASSWORD :'segmenter' IN ROLE todoke_segmenter;
CREATE ROLE scheduler_login LOGIN PASSWORD :'scheduler' IN ROLE todoke_scheduler;
CREATE ROLE dispatcher_login LOGIN PASSWORD :'dispatcher' IN ROLE todoke_dispatcher;
REVOKE ALL ON DATABASE todoke FROM PUBLIC;
GRANT CONNECT ON DATABASE todoke TO todoke_ingest, todoke_segmenter, todoke_scheduler, todoke_dispatcher;
