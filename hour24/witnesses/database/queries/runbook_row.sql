-- The runbook's own query: who is connected to this database, and how large it is.
-- Also, without writing anything, whether others may write: what is set for our own role or
-- session alone says nothing of them.
SELECT datname::text AS datname, numbackends, pg_catalog.pg_database_size(datname) AS size_bytes,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       (SELECT s.setting = 'on'
               AND s.source NOT IN ('user', 'database user', 'client', 'session')
        FROM pg_catalog.pg_settings s WHERE s.name = 'default_transaction_read_only')
         AS read_only_by_default
FROM pg_catalog.pg_stat_database
WHERE datname = pg_catalog.current_database()
