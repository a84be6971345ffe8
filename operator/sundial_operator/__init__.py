"""The operator: watches custom resources and starts Jobs."""
