-- Where pg_stat_statements is, and which columns it has: the extension may lag the server.
SELECT n.nspname::text AS schema, c.relname::text AS relation,
       pg_catalog.array_agg(a.attname::text) AS columns
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_extension e
  ON e.extname = 'pg_stat_statements' AND e.extnamespace = n.oid
WHERE c.relname IN ('pg_stat_statements', 'pg_stat_statements_info')
  AND (e.oid IS NOT NULL OR n.nspname = 'extensions')
GROUP BY n.nspname, c.relname, e.oid
ORDER BY e.oid IS NULL, n.nspname
