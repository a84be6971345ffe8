"""Sends a task of Celery, waits for its end, and revokes it at SIGTERM; imported for nothing else."""
