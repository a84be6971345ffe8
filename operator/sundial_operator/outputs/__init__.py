"""What the operator writes to the cluster, through one queue."""
