#!/usr/bin/env bash
# Gives the roles of ../postgres/roles.sql their passwords, when PostgreSQL makes its database.
set -euo pipefail
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'END'
\set owner `cat /run/secrets/owner.password`
\set issuer `cat /run/secrets/issuer.password`
ALTER ROLE usher_owner PASSWORD :'owner';
ALTER ROLE usher_issuer PASSWORD :'issuer';
END
