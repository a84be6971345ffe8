"""Keeps an eye on how far the mirror is: finished Jobs stay until the database has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from sundial_core.coordination.mirror_progress import (
    NOTHING,
    Mirrored,
    ObservedMirrorLease,
    find_mirrored,
    observe_mirror_lease,
)
from sundial_core.decision.job_deletions import Deletions
from sundial_core.resources import names
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.resources import LEASES
from sundial_kube.server_clock import read_boot_clock

log = structlog.get_logger()

POLL_SECONDS = 5.0


class MirrorWatch:
    """Knows what is mirrored; when that changes, calls `enqueue` for each ScheduledJob that waits for it."""

    def __init__(self, client: KubeClient, ns: str, release: str, enqueue: Callable[[str], None]) -> None:
        self._client = client
        self._ns = ns
        self._lease_name = names.build_mirror_lease_name(release)
        self._enqueue = enqueue
        self._sighting: ObservedMirrorLease | None = None
        self._is_known = False
        self._announced: Mirrored | None = NOTHING
        self._waiting: set[str] = set()

    @property
    def waiting(self) -> int:
        """How many ScheduledJobs have finished Jobs that stay only because they are not mirrored."""
        return len(self._waiting)

    def find(self) -> Mirrored | None:
        """Find what is mirrored; None where nothing has to wait. Nothing, until the Lease was asked for."""
        return find_mirrored(self._sighting, read_boot_clock()) if self._is_known else NOTHING

    def note(self, uid: str, choice: Deletions) -> None:
        """Note whether a ScheduledJob is to be reconciled when more is mirrored."""
        if choice.awaits_mirror:
            self._waiting.add(uid)
        else:
            self._waiting.discard(uid)

    async def run(self) -> None:
        """Poll for ever."""
        while True:
            await self._poll()
            await asyncio.sleep(POLL_SECONDS)

    async def _poll(self) -> None:
        try:
            lease = await self._client.get(LEASES, self._ns, self._lease_name)
        except ApiUnreachable as error:
            log.warning("reading the Lease of the mirror failed", error=str(error))
            return
        except ApiError as error:
            if error.status != 404:
                log.warning("reading the Lease of the mirror failed", error=str(error))
                return
            self._sighting = None
        else:
            self._sighting = observe_mirror_lease(self._sighting, lease, read_boot_clock())
        self._is_known = True
        self._notice()

    def _notice(self) -> None:
        mirrored = self.find()
        if mirrored != self._announced:
            self._announced = mirrored
            for uid in self._waiting:
                self._enqueue(uid)
            self._waiting.clear()
