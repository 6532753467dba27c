-- The runbook's own query: who is connected to this database, and how large it is.
SELECT datname::text AS datname, numbackends, pg_catalog.pg_database_size(datname) AS size_bytes
FROM pg_catalog.pg_stat_database
WHERE datname = pg_catalog.current_database()
