"""From rows to Postgres: guarded writes, tombstones, retention."""
