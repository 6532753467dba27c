-- What runs in this database now and has for longer than the limit; and how much runs at all.
WITH active AS MATERIALIZED (
  SELECT a.pid, a.usename::text AS role, a.state, a.wait_event_type,
         extract(epoch FROM pg_catalog.clock_timestamp() - a.query_start)::float8 AS age_s,
         pg_catalog.left(a.query, 4000) AS query
  FROM pg_catalog.pg_stat_activity a
  WHERE a.backend_type = 'client backend' AND a.pid <> pg_catalog.pg_backend_pid()
    AND a.datname = pg_catalog.current_database() AND a.state = 'active'
)
SELECT (SELECT pg_catalog.count(*) FROM active) AS active, slow.*
FROM (SELECT 1) one
LEFT JOIN (
  SELECT * FROM active WHERE age_s * 1000 >= %(slow_ms)s ORDER BY age_s DESC LIMIT %(most)s
) slow ON true
ORDER BY slow.age_s DESC NULLS LAST, slow.pid
