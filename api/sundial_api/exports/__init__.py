"""A job as a manifest: YAML to apply, as the cluster has it."""
