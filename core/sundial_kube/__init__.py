"""Cluster access that the operator and the API share."""
