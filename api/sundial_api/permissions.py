"""What the API and its mirror need to be permitted in the cluster: the source of their roles, and a check."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

import structlog

from sundial_api.settings import AuthMode
from sundial_core.resources.names import build_mirror_lease_name
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.permissions import Permission, list_missing
from sundial_kube.resources import (
    ACCESS_REVIEWS,
    JOBS,
    LEASES,
    PODS,
    SCHEDULED_JOB_RUNS,
    SCHEDULED_JOBS,
    TASK_FUNCTIONS,
    TOKEN_REVIEWS,
)

log = structlog.get_logger()

CHECK_SECONDS = 60.0


async def report_missing(client: KubeClient, needed: Iterable[Permission]) -> None:
    """Log what the API is not permitted, once a minute until nothing is missing; reads work without."""
    needed = list(needed)
    while True:
        try:
            missing = await list_missing(client, needed)
        except (ApiError, ApiUnreachable) as error:
            log.warning("cannot ask what is permitted", error=str(error))
        else:
            if not missing:
                return
            said = ", ".join(map(str, missing))
            log.error("not permitted; check the roles of the API", missing=said)
        await asyncio.sleep(CHECK_SECONDS)


def list_needed(
    installation_ns: str, release: str, watched: Sequence[str], auth: AuthMode, *, reads_logs: bool = True
) -> Iterator[Permission]:
    """List what the API does: what it mirrors, what callers have it write, and asking who they are."""
    for ns in watched or (None,):
        yield from _list_watched(ns)
        if reads_logs:
            yield Permission("get", PODS, ns)  # to know whose log is read
            yield Permission("get", PODS, ns, "log")
    for verb in ("list", "watch", "create"):
        yield Permission(verb, LEASES, installation_ns)
    yield Permission("patch", LEASES, installation_ns, name=build_mirror_lease_name(release))
    if auth is AuthMode.KUBERNETES:
        yield Permission("create", TOKEN_REVIEWS, None)
    if auth is not AuthMode.NONE:
        yield Permission("create", ACCESS_REVIEWS, None)


def _list_watched(ns: str | None) -> Iterator[Permission]:
    for resource in (SCHEDULED_JOBS, SCHEDULED_JOB_RUNS, TASK_FUNCTIONS, JOBS, PODS):
        for verb in ("list", "watch"):
            yield Permission(verb, resource, ns)
    for verb in ("get", "create", "patch", "delete"):
        yield Permission(verb, SCHEDULED_JOBS, ns)
    for verb in ("get", "create", "delete"):
        yield Permission(verb, SCHEDULED_JOB_RUNS, ns)
    yield Permission("get", TASK_FUNCTIONS, ns)  # whether a run may start
    yield Permission("patch", JOBS, ns)  # to cancel a run
