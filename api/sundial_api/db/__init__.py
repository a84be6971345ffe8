"""The database: its tables, its connections, its migrations. Queries are in the repositories."""
