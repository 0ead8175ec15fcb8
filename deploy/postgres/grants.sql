-- What the issuer may do in its tables, each as far as its statements go. Run it as `usher_owner` after every `issuer migrate`:
--
--   psql --set ON_ERROR_STOP=1 --dbname usher --username usher_owner --file grants.sql
--
-- A table that a later version adds is not here until that version's file is run: its issuer says `permission denied`.

BEGIN;

REVOKE ALL ON ALL TABLES IN SCHEMA usher FROM usher_issuer;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA usher FROM PUBLIC, usher_issuer;
ALTER DEFAULT PRIVILEGES IN SCHEMA usher REVOKE ALL ON TABLES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- UPDATE is also what it takes to lock a row.
GRANT SELECT, INSERT, UPDATE, DELETE ON users, roles, sessions, signing_keys, outbox, clients TO usher_issuer;
GRANT SELECT, INSERT, UPDATE ON refresh_tokens, server_secrets, access_lifetimes, labels, film_labels TO usher_issuer;
GRANT SELECT, INSERT, DELETE ON user_roles, label_roles, login_history TO usher_issuer;
GRANT SELECT, UPDATE, DELETE ON login_history_default TO usher_issuer;
GRANT SELECT, INSERT ON client_roles, label_sets, label_set_members TO usher_issuer;
GRANT SELECT, UPDATE ON role_version, feed_lease, label_clock, signing_key_version TO usher_issuer;

-- Events are added. Of one that is there, an address can be forgotten, which the table's trigger allows too.
GRANT SELECT, INSERT, UPDATE (ip) ON audit_events TO usher_issuer;

-- Which migrations there were: to read, and not to add to.
CREATE OR REPLACE VIEW usher_start._sqlx_migrations AS SELECT * FROM usher._sqlx_migrations;
REVOKE ALL ON usher_start._sqlx_migrations FROM PUBLIC, usher_issuer;
GRANT SELECT ON usher_start._sqlx_migrations TO usher_issuer;

GRANT EXECUTE ON FUNCTION feed_take_batch TO usher_issuer;

-- Partitions of the login history are made and dropped by the issuer, once a minute, and it takes their owner to do so. These two
-- functions do it as the owner, and find nothing but what is the owner's.
ALTER FUNCTION login_history_make_month SECURITY DEFINER SET search_path = usher, pg_temp;
ALTER FUNCTION login_history_drop_month SECURITY DEFINER SET search_path = usher, pg_temp;
GRANT EXECUTE ON FUNCTION login_history_make_month, login_history_drop_month TO usher_issuer;

COMMIT;
