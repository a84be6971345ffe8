"""From objects of the cluster to rows: pure."""
