"""Which finished Jobs are beyond the installation's cap; whether each may go is decided with its schedule.

Above 12,500 finished Pods the cluster's own garbage collection begins to delete anybody's.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog

from sundial_core.runs.jobs import ObservedJob

log = structlog.get_logger()

SWEEP_SECONDS = 5.0
"""Below the cap a sweep compares two numbers; above it the oldest are found among all that are finished."""


class FinishedJobCap:
    """Names the oldest finished Jobs beyond the cap; `enqueue` is called with the UID of each owner.

    Only those count of which `may_be_ours` is true: others are not ours to delete.
    """

    def __init__(
        self,
        finished: Mapping[str, ObservedJob],
        most: int,
        enqueue: Callable[[str], None],
        may_be_ours: Callable[[ObservedJob], bool],
    ) -> None:
        self._finished = finished
        self._most = most
        self._enqueue = enqueue
        self._may_be_ours = may_be_ours
        self._excess: dict[str, set[str]] = {}

    def get_excess(self, owner_uid: str) -> frozenset[str]:
        """Find the UIDs of the Jobs of a ScheduledJob that are beyond the cap."""
        return frozenset(self._excess.get(owner_uid, ()))

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            self.sweep()
            await asyncio.sleep(SWEEP_SECONDS)

    def sweep(self) -> None:
        """Find what is beyond the cap now."""
        before, self._excess = self._excess, {}
        if len(self._finished) <= self._most:
            return
        ours = [job for job in self._finished.values() if self._may_be_ours(job)]
        beyond = max(0, len(ours) - self._most)
        for job in heapq.nsmallest(beyond, ours, key=_released_at):
            self._excess.setdefault(job.owner_uid, set()).add(job.uid)
        if beyond and not before:
            log.warning("more finished Jobs than the cap", finished=len(ours), most=self._most)
        for owner_uid in self._excess:
            self._enqueue(owner_uid)


def _released_at(job: ObservedJob) -> tuple[datetime, str]:
    assert job.released_at is not None
    return job.released_at, job.uid
