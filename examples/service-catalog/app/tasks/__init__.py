"""The tasks that the workers of the service catalog run."""
