"""What changes, as it happens: jobs and executions as server-sent events."""
