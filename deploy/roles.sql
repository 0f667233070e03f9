-- The three roles and the database of the helpdesk. Run it once on a server, as a superuser, with psql:
--
--     psql -v ON_ERROR_STOP=1 -f deploy/roles.sql
--
-- and then give each role its password (\password helpdesk_app). Running it again changes nothing.
--
--   helpdesk_owner  owns the database and its tables; only the role "migrate" uses it
--   helpdesk_app    serves people and tickets; owns nothing, bound by row-level security
--   helpdesk_relay  serves what crosses tenants (outbox, reconciliation); owns nothing, granted little
--
-- What each may do with a table is granted by the migration that makes the table.

SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY['helpdesk_owner', 'helpdesk_app', 'helpdesk_relay']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE helpdesk_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE helpdesk_app   LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE helpdesk_relay LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

SELECT 'CREATE DATABASE helpdesk OWNER helpdesk_owner ENCODING ''UTF8'' TEMPLATE template0'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'helpdesk')
\gexec

REVOKE ALL ON DATABASE helpdesk FROM PUBLIC;
GRANT CONNECT ON DATABASE helpdesk TO helpdesk_app, helpdesk_relay;

\connect helpdesk
ALTER SCHEMA public OWNER TO helpdesk_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO helpdesk_app, helpdesk_relay;
