"""A real throw-away Kubernetes on one machine, for tests and the demo."""
