#!/bin/sh
# PostgreSQL's image runs it once, after roles.sql: each role gets the password that stands in its address.
set -eu
secrets=${SECRETS:-/run/secrets}
word() { sed -E 's|^postgresql://[^:]+:([^@]+)@.*$|\1|' "$secrets/$1"; }
psql -v ON_ERROR_STOP=1 --quiet --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    -v app="$(word database_url)" -v relay="$(word database_relay_url)" -v owner="$(word database_owner_url)" \
    -v temporal="$(cat "$secrets/temporal_password")" <<'SQL'
ALTER ROLE helpdesk_app PASSWORD :'app';
ALTER ROLE helpdesk_relay PASSWORD :'relay';
ALTER ROLE helpdesk_owner PASSWORD :'owner';
CREATE ROLE temporal LOGIN CREATEDB PASSWORD :'temporal';
SQL
