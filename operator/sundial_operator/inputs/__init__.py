"""What the operator knows of the cluster, and what makes it reconcile."""
