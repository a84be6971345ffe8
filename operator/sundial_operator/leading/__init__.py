"""Leases, the fence, and what makes a leader step down."""
