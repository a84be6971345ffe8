"""How the installation stands: replicas, leader, totals."""
