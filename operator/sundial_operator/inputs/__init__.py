"""What the operator knows of the cluster, and what wakes it."""
