"""PostgreSQL: the database itself, the only room that imports its driver."""
