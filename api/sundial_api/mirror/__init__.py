"""From the cluster to rows: feeds, pure projection, guarded writes, one active mirror."""
