"""What the operator needs to be permitted, and when it makes room because it no longer is."""

from __future__ import annotations

from collections.abc import Iterator

from sundial_kube.permissions import Permission
from sundial_kube.resources import (
    CONFIG_MAPS,
    EVENTS,
    JOBS,
    LEADER_TERMS,
    LEASES,
    NEW_EVENTS,
    PODS,
    SCHEDULED_JOB_RUNS,
    SCHEDULED_JOBS,
    TASK_FUNCTIONS,
)


def list_needed(installation_ns: str, watched_ns: str | None) -> Iterator[Permission]:
    """List what the operator does: the source of the chart's roles too."""
    for resource in (SCHEDULED_JOBS, SCHEDULED_JOB_RUNS, TASK_FUNCTIONS):
        for verb in ("get", "list", "watch"):
            yield Permission(verb, resource, watched_ns)
    for resource in (SCHEDULED_JOBS, SCHEDULED_JOB_RUNS, TASK_FUNCTIONS):
        yield Permission("patch", resource, watched_ns, "status")
    yield Permission("delete", SCHEDULED_JOB_RUNS, watched_ns)
    for verb in ("get", "list", "watch", "create", "patch", "delete"):
        yield Permission(verb, JOBS, watched_ns)
    for verb in ("list", "watch"):
        yield Permission(verb, PODS, watched_ns)
    yield Permission("get", CONFIG_MAPS, installation_ns)
    yield Permission("list", EVENTS, watched_ns)
    for verb in ("create", "patch"):
        yield Permission(verb, NEW_EVENTS, watched_ns)
    for resource in (LEASES, LEADER_TERMS):
        for verb in ("get", "create", "patch"):
            yield Permission(verb, resource, installation_ns)
    for verb in ("list", "delete"):
        yield Permission(verb, LEASES, installation_ns)
