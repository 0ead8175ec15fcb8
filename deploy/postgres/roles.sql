-- The two roles that an issuer needs on PostgreSQL, and the schema. Run it in the issuer's database, as its superuser, with the
-- database's name:
--
--   psql --set ON_ERROR_STOP=1 --dbname usher --file roles.sql
--
-- It can be run again. It gives no passwords; README.md says how.

SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest(ARRAY['usher_owner', 'usher_issuer']) name
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

-- Nobody else connects, or makes anything where nobody looks. (PostgreSQL 15 and later take `public` away by themselves in new
-- databases only.)
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database())
\gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO usher_owner, usher_issuer', current_database())
\gexec
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- Everything lies here, and belongs to the role that migrates.
CREATE SCHEMA IF NOT EXISTS usher AUTHORIZATION usher_owner;
GRANT USAGE ON SCHEMA usher TO usher_issuer;

-- `issuer serve` looks whether the schema is up to date, and on the way would make the table of migrations if it were not there.
-- PostgreSQL refuses that to a role that may make nothing, even where the table is there. So the issuer has a place of its own that
-- comes first, in which a view stands for that table (grants.sql). What is made here belongs to no table of the product.
CREATE SCHEMA IF NOT EXISTS usher_start AUTHORIZATION usher_owner;
GRANT USAGE, CREATE ON SCHEMA usher_start TO usher_issuer;

SELECT format('ALTER ROLE usher_owner IN DATABASE %I SET search_path = usher', current_database())
\gexec
SELECT format('ALTER ROLE usher_issuer IN DATABASE %I SET search_path = usher_start, usher', current_database())
\gexec
