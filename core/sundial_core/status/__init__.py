"""Statuses: reading the stored one back, building the next one, telling what changed."""
