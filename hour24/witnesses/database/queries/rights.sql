-- Without pg_read_all_stats the statistics of others are NULL or "<insufficient privilege>",
-- and every limit on them would hold.
SELECT current_user::text AS role,
       pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS reads_all_stats,
       pg_catalog.pg_has_role(current_user, 'pg_monitor', 'USAGE') AS monitors,
       pg_catalog.current_setting('server_version') AS version
