"""Sundial's REST API and the mirror that fills its database from the cluster."""
