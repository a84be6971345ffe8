"""What the operator needs to be permitted, and when it makes room because it no longer is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sundial_core.resources.names import build_mirror_lease_name
from sundial_kube.permissions import Permission
from sundial_kube.resources import (
    CLUSTER_ROLES,
    CONFIG_MAPS,
    EVENTS,
    JOBS,
    LEADER_TERMS,
    LEASES,
    NEW_EVENTS,
    PODS,
    ROLES,
    SCHEDULED_JOB_RUNS,
    SCHEDULED_JOBS,
    TASK_FUNCTIONS,
)


def list_optional(watched: Sequence[str]) -> Iterator[Permission]:
    """List what an installation works without, but for TaskFunctions whose Jobs need the runner."""
    for ns in watched or (None,):
        yield Permission("create", CONFIG_MAPS, ns)


def list_unasked(watched: Sequence[str], owner: str) -> Iterator[Permission]:
    """List what is tried without asking: the role of the operator itself, which the runner is to go with."""
    if not watched:
        yield Permission("get", CLUSTER_ROLES, None, name=owner)
    for ns in watched:
        yield Permission("get", ROLES, ns, name=owner)


def list_needed(installation_ns: str, release: str, watched: Sequence[str]) -> Iterator[Permission]:
    """List what the operator does, in all namespaces or those that are watched: the source of its roles."""
    for ns in watched or (None,):
        yield from _list_watched(ns)
    if watched and installation_ns not in watched:
        yield Permission("create", JOBS, installation_ns)  # the fence's probe, as a dry run
    yield Permission("get", CONFIG_MAPS, installation_ns, name=release)
    for name in (release, build_mirror_lease_name(release)):
        yield Permission("get", LEASES, installation_ns, name=name)
    for verb in ("list", "create", "patch", "delete"):
        yield Permission(verb, LEASES, installation_ns)
    for verb in ("get", "patch"):
        yield Permission(verb, LEADER_TERMS, installation_ns, name=release)
    yield Permission("create", LEADER_TERMS, installation_ns)


def _list_watched(ns: str | None) -> Iterator[Permission]:
    for resource in (SCHEDULED_JOBS, SCHEDULED_JOB_RUNS, TASK_FUNCTIONS):
        for verb in ("get", "list", "watch"):
            yield Permission(verb, resource, ns)
        yield Permission("patch", resource, ns, "status")
    yield Permission("delete", SCHEDULED_JOB_RUNS, ns)
    for verb in ("get", "list", "watch", "create", "patch", "delete"):
        yield Permission(verb, JOBS, ns)
    for verb in ("list", "watch"):
        yield Permission(verb, PODS, ns)
    yield Permission("list", EVENTS, ns)
    for verb in ("create", "patch"):
        yield Permission(verb, NEW_EVENTS, ns)
