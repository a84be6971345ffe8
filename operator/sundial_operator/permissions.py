"""What the operator needs to be permitted, and when it makes room because it no longer is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from sundial_core.creates import LONGEST_RETRY_SECONDS
from sundial_core.refusals import is_permission_missing
from sundial_kube.errors import ApiError
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


class PatchRefusals:
    """Ends a leader that has not been permitted to write statuses for so many seconds: another one may be.

    Any success starts anew, and so does a time without refusals: patches are tried again sooner than that.
    """

    def __init__(self, seconds: float, end: Callable[[str], object]) -> None:
        self._seconds = seconds
        self._end = end
        self._refused_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_counting(self) -> bool:
        """Tell whether a patch was refused since the last one that was not."""
        return self._timer is not None

    def observe(self, error: ApiError | None) -> None:
        """Take the answer to a status patch."""
        loop = asyncio.get_running_loop()
        if error is None:
            self._forget()
        elif is_permission_missing(error.status, error.message):
            self._refused_at = loop.time()
            self._timer = self._timer or loop.call_later(self._seconds, self._judge, error.message)

    def _judge(self, message: str) -> None:
        is_recent = asyncio.get_running_loop().time() - self._refused_at <= LONGEST_RETRY_SECONDS
        self._forget()
        if is_recent:
            self._end(f"status patches have been refused for {self._seconds:g} s: {message}")

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
