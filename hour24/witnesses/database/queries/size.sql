-- The size of this database alone; what else is on the disk is not known here.
SELECT pg_catalog.pg_database_size(pg_catalog.current_database()) AS used_bytes
