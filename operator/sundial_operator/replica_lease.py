"""Shows that this replica lives, by a Lease of its own.

Those of the dead are removed by `leading/replica_sweep.py`. It is written by the event loop that does the
work: a replica that hangs gives no sign.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from kubernetes.aio.client import Configuration

from sundial_core.coordination.replica_record import (
    LeaderStanding,
    ReplicaRecord,
    build_renewal,
    build_replica_lease,
)
from sundial_kube.client import METADATA_LIST, KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.resources import LEASES
from sundial_operator.clock import read_clock

log = structlog.get_logger()

BEATS = 12
"""How many signs of life a replica gives before it would be taken for dead."""


class ReplicaLease:
    """This replica's Lease: made, renewed, and removed at the end; a standby writes it too.

    It has a connection of its own, without the gate that only a leader passes.
    """

    def __init__(self, configuration: Configuration, record: ReplicaRecord, ns: str, seconds: float) -> None:
        self._client = KubeClient(
            configuration, user_agent="sundial-member", request_seconds=max(1.0, seconds / BEATS)
        )
        self._record = record
        self._ns = ns
        self._seconds = seconds
        self._uid = ""

    async def run(self, describe_standing: Callable[[], LeaderStanding | None]) -> None:
        """Give signs of life for ever, and say how the installation stands; removes the Lease at the end."""
        async with self._client:
            try:
                while True:
                    await self._give_sign(describe_standing())
                    await asyncio.sleep(self._seconds / BEATS)
            finally:
                await self._leave()

    async def _give_sign(self, standing: LeaderStanding | None) -> None:
        try:
            if not self._uid or not await self._renew(standing):
                await self._join()
        except (ApiError, ApiUnreachable) as error:
            log.warning("renewing the member Lease failed", error=str(error))

    async def _join(self) -> None:
        """Make the Lease; one that is there already was made by a request whose answer was lost."""
        manifest = build_replica_lease(self._record, self._seconds, read_clock())
        try:
            lease = await self._client.create(LEASES, self._ns, manifest)
        except ApiError as error:
            if error.status != 409:
                raise
            self._uid = await self._find_uid()
        else:
            self._uid = lease["metadata"]["uid"]

    async def _find_uid(self) -> str:
        """Find the UID of the Lease that is there, empty where it is gone.

        By a list: a role cannot name the Lease of each replica, and the right to list is there.
        """
        query = {"fieldSelector": f"metadata.name={self._record.lease_name}"}
        page = await self._client.list_page(LEASES.path(self._ns), query, METADATA_LIST)
        return next((str(item["metadata"]["uid"]) for item in page["items"]), "")

    async def _renew(self, standing: LeaderStanding | None) -> bool:
        """Renew the Lease; False when it is gone."""
        try:
            patch = build_renewal(read_clock(), standing)
            await self._client.patch(LEASES, self._ns, self._record.lease_name, patch)
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return True

    async def _leave(self) -> None:
        if not self._uid:
            return
        try:
            await self._client.delete(LEASES, self._ns, self._record.lease_name, self._uid)
        except (ApiError, ApiUnreachable) as error:
            log.warning("removing the member Lease failed", error=str(error))
