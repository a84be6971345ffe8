"""Removes the Leases (`replica_lease.py`) of replicas that are gone; the leader does."""

from __future__ import annotations

import asyncio

import structlog

from sundial_core.coordination.replica_record import ObservedReplica, list_stale, observe_replicas
from sundial_core.resources import names
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.resources import LEASES
from sundial_kube.server_clock import read_boot_clock

log = structlog.get_logger()


class ReplicaSweep:
    """The leader's part: removes the Leases of replicas that have given no sign of life for too long."""

    def __init__(self, client: KubeClient, ns: str, installation: str, seconds: float) -> None:
        self._client = client
        self._ns = ns
        self._query = {"labelSelector": f"{names.MEMBER}=true,{names.INSTALLATION}={installation}"}
        self._seconds = seconds
        self._seen: dict[str, ObservedReplica] = {}

    async def run(self) -> None:
        """Look for ever, four times in the time after which a Lease is stale."""
        while True:
            try:
                await self._sweep()
            except (ApiError, ApiUnreachable, NotLeading) as error:
                log.warning("looking for stale member Leases failed", error=str(error))
            await asyncio.sleep(self._seconds / 4)

    async def _sweep(self) -> None:
        listed = await self._client.list_page(LEASES.path(self._ns), self._query)
        now = read_boot_clock()
        self._seen = observe_replicas(self._seen, listed["items"], now)
        for stale in list_stale(self._seen, self._seconds, now):
            log.info("removing the Lease of a replica that is gone", lease=stale.name)
            await self._remove(stale)

    async def _remove(self, stale: ObservedReplica) -> None:
        try:
            await self._client.delete(LEASES, self._ns, stale.name, stale.uid)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
