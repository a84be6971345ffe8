"""The registry of a process: what every process tells of itself, and no series that nobody reads."""

from __future__ import annotations

from importlib import metadata

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, disable_created_metrics


def build_registry() -> CollectorRegistry:
    """Build a registry with the process's own figures and its version."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    built = Gauge("sundial_build_info", "1, with the version of Sundial.", ["version"], registry=registry)
    built.labels(metadata.version("sundial")).set(1)
    return registry
