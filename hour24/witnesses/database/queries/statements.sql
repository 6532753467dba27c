-- Statements of this database whose longest call reached the limit; a mean above it implies that.
-- One row without a statement when there is none, so that what is said of the whole comes along.
WITH every AS MATERIALIZED (
  SELECT s.userid, s.queryid, s.calls, {toplevel} AS toplevel, {total} AS total_ms,
         {longest} AS max_ms, {since} AS stats_since, {minmax_since} AS minmax_since,
         pg_catalog.left(s.query, 4000) AS query
  FROM {statements} s
  WHERE s.dbid = (
    SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
  )
), slow AS (
  SELECT * FROM every
  WHERE max_ms >= %(slow_ms)s AND queryid IS NOT NULL
  ORDER BY max_ms DESC
  LIMIT %(most)s
)
SELECT extract(epoch FROM pg_catalog.clock_timestamp())::float8 AS read_at,
       {dealloc} AS dealloc, {reset} AS stats_reset,
       (SELECT pg_catalog.count(*) FROM every) AS entries,
       (SELECT pg_catalog.count(*) FROM every WHERE queryid IS NULL) AS hidden,
       coalesce(r.rolname::text, 'role ' || slow.userid::text) AS role,
       slow.queryid::text AS queryid, slow.toplevel, slow.calls, slow.total_ms, slow.max_ms,
       slow.stats_since, slow.minmax_since, slow.query
FROM (SELECT 1) one
LEFT JOIN slow ON true
LEFT JOIN pg_catalog.pg_roles r ON r.oid = slow.userid
ORDER BY slow.max_ms DESC NULLS LAST, slow.queryid, role
