-- How many connections there may be, how many there are, and who holds others up. Sessions of the
-- platform's roles and of maintenance are excluded, as from the statements; the longest is returned.
WITH sessions AS MATERIALIZED (
  SELECT a.pid, a.usename::text AS role, a.datname, a.state, a.wait_event_type,
         extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change)::float8 AS state_s,
         extract(epoch FROM pg_catalog.clock_timestamp() - a.query_start)::float8 AS query_s,
         coalesce(a.usename::text = ANY (%(platform)s::text[]), false)
           OR coalesce(a.query ~* %(maintenance)s, false) AS aside
  FROM pg_catalog.pg_stat_activity a
  WHERE a.backend_type = 'client backend'
), idle AS (
  SELECT * FROM sessions
  WHERE state IN ('idle in transaction', 'idle in transaction (aborted)') AND NOT aside
  ORDER BY state_s DESC NULLS LAST
  LIMIT 1
), idle_aside AS (
  SELECT * FROM sessions
  WHERE state IN ('idle in transaction', 'idle in transaction (aborted)') AND aside
  ORDER BY state_s DESC NULLS LAST
  LIMIT 1
), waiting AS (
  SELECT s.*, pg_catalog.pg_blocking_pids(s.pid)::text AS blocked_by,
         coalesce({waited}, s.query_s) AS wait_s
  FROM sessions s
  WHERE s.wait_event_type = 'Lock' AND NOT s.aside
  ORDER BY wait_s DESC NULLS LAST
  LIMIT 1
)
SELECT pg_catalog.current_setting('max_connections')::int AS max_connections,
       pg_catalog.current_setting('superuser_reserved_connections')::int AS superuser_reserved,
       coalesce(pg_catalog.current_setting('reserved_connections', true)::int, 0) AS reserved,
       (SELECT pg_catalog.count(*) FROM sessions) AS in_use,
       (SELECT pg_catalog.count(*) FROM sessions WHERE state = 'active') AS active,
       (SELECT pg_catalog.count(*) FROM sessions
        WHERE state IN ('idle in transaction', 'idle in transaction (aborted)'))
         AS idle_in_transaction,
       (SELECT pg_catalog.count(*) FROM sessions WHERE wait_event_type = 'Lock') AS lock_waits,
       coalesce(idle.state_s, 0) AS oldest_idle_in_transaction_s,
       idle.role || ', pid ' || idle.pid AS idle_in_transaction_by,
       coalesce(waiting.wait_s, 0) AS oldest_lock_wait_s,
       waiting.role || ', pid ' || waiting.pid || ', blocked by ' || waiting.blocked_by
         AS lock_wait_by,
       coalesce(idle_aside.state_s, 0) AS aside_idle_s,
       idle_aside.role || ', pid ' || idle_aside.pid AS aside_by,
       (SELECT d.datconnlimit FROM pg_catalog.pg_database d
        WHERE d.datname = pg_catalog.current_database()) AS database_limit,
       (SELECT pg_catalog.count(*) FROM sessions
        WHERE datname = pg_catalog.current_database()) AS database_in_use,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
          'role', r.rolname::text, 'limit', r.rolconnlimit,
          'in_use', (SELECT pg_catalog.count(*) FROM sessions s WHERE s.role = r.rolname)))
        FROM pg_catalog.pg_roles r WHERE r.rolconnlimit > 0 AND r.rolcanlogin) AS roles
FROM (SELECT 1) one
LEFT JOIN idle ON true
LEFT JOIN idle_aside ON true
LEFT JOIN waiting ON true
