"""Runs one function of a user's image as the work of a Pod, and reports how it ended."""
