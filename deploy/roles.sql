-- Makes the two roles and the database, or gives the roles their passwords anew: run on every start,
-- so that a changed .env is all it takes to change one. Run as a superuser with psql.

-- A statement that fails would be written to the server's log, with its password.
SET log_min_error_statement = panic;

-- From the environment, and not from the command line, which every process may read.
\getenv owner_password CASEGRAPH_OWNER_PASSWORD
\getenv app_password CASEGRAPH_APP_PASSWORD

SELECT format('CREATE ROLE %I', name)
  FROM (VALUES ('casegraph_owner'), ('casegraph_app')) AS wanted(name)
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
-- The one owns the tables and runs the commands.
ALTER ROLE casegraph_owner LOGIN PASSWORD :'owner_password';
-- The other one serves. What it may do is granted by casegraph init --app-role.
ALTER ROLE casegraph_app LOGIN PASSWORD :'app_password';

SELECT 'CREATE DATABASE cases OWNER casegraph_owner ENCODING ''UTF8'' TEMPLATE template0'
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'cases') \gexec
-- Nobody else has business there.
REVOKE CONNECT ON DATABASE cases FROM PUBLIC;
GRANT CONNECT ON DATABASE cases TO casegraph_app;
