"""Rings are folders: unit needs nothing, cluster a control plane, pods root and a real node."""

pytest_plugins = ["sundial_devcluster.pytest_plugin", "operators"]
