-- How much this database alone takes up; what the disk holds beside it is not known here.
SELECT pg_catalog.pg_database_size(pg_catalog.current_database()) AS used_bytes
