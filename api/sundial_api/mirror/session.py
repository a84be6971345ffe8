"""What does the active mirror do? Follows the cluster, has rows written, and says how far it is.

One session is one database connection in one epoch: whatever breaks ends it, and the next one lists anew.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.clock import Clock
from sundial_api.mirror.feed import RESOURCES, Feed, WatchScope
from sundial_api.mirror.maintenance import Maintenance
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.mirror_lease import LeaseProgress, MirrorLease
from sundial_api.mirror.projection.batches import Absence, ObjectKind
from sundial_api.mirror.row_writer import RowWriter, is_refusal
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.log_tails import choose_purposes
from sundial_api.mirror.storage.transactions import DatabaseRestored, MirrorTransactions
from sundial_api.settings import DatabaseSettings
from sundial_core.resources import names
from sundial_kube.client import METADATA_LIST, KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.resources import SCHEDULED_JOBS

log = structlog.get_logger()

BEAT_SECONDS = 10.0
"""How often the session says how far it is, to the database and to the operator."""

CHORES_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class MirrorConfig:
    """What a mirror is told once: what to mirror, what to keep, who it is, and the time."""

    scope: WatchScope
    settings: DatabaseSettings
    instance: str
    read_clock: Clock


class ActiveMirror:
    """One time of being the active mirror."""

    def __init__(
        self,
        connection: AsyncConnection,
        client: KubeClient,
        role: MirrorConfig,
        metrics: MirrorMetrics,
    ) -> None:
        self._client = client
        self._metrics = metrics
        self._scope = role.scope
        self._read_clock = role.read_clock
        self._instance = role.instance
        self._lease = MirrorLease(client, role.scope, role.instance)
        self._transactions = MirrorTransactions(connection)
        self._chores = Maintenance(self._transactions, role.settings, metrics)
        self._chores_at = 0.0
        purposes = choose_purposes(role.settings)
        self._rows = RowWriter(self._transactions, self._list_again, metrics, role.read_clock, purposes)
        self._started_at = self.heard_at = time.monotonic()
        self._beat_at = 0.0
        self._renewal: asyncio.Task[None] | None = None
        self.is_synced = False

    async def run(self) -> None:
        """Mirror until something breaks; raises ApiError, ApiUnreachable, SQLAlchemy's errors,
        StepLost, and an ExceptionGroup of what ended a reflector."""
        try:
            await self._mirror()
        except DatabaseRestored:
            await self._take_over()
            raise

    async def _mirror(self) -> None:
        feed = Feed(self._client, self._scope, await self._enter_epoch())
        self._metrics.epoch.set(feed.epoch)
        self._metrics.watch_waiting(lambda: len(feed))
        following = asyncio.create_task(feed.run())
        try:
            while not following.done():
                await self._work(feed)
            following.result()
        finally:
            tasks = [task for task in (following, self._renewal) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._metrics.synced.set(0)

    async def _work(self, feed: Feed) -> None:
        await feed.wait(BEAT_SECONDS / 4)
        await self._rows.write(feed)
        if self._rows.is_synced and not self.is_synced:
            self._note_synced()
        if time.monotonic() - self._beat_at >= BEAT_SECONDS:
            await self._beat(feed)

    def _note_synced(self) -> None:
        seconds = time.monotonic() - self._started_at
        self._metrics.sync_seconds.set(seconds)
        self._metrics.synced.set(1)
        self.is_synced = True
        self._beat_at = 0.0
        log.info("mirrored all", seconds=round(seconds, 2))

    async def _list_again(self, absence: Absence) -> frozenset[str]:
        """List once more, consistently, where a list is from; returns the UIDs."""
        kind = absence.kind
        listed: set[str] = set()
        is_marked = kind in (ObjectKind.JOB, ObjectKind.POD)
        query = {"labelSelector": names.SCHEDULED_JOB_UID} if is_marked else {}
        for ns in (absence.ns,) if absence.ns is not None else self._scope.list_places(kind):
            async for page in self._client.list_pages(RESOURCES[kind].path(ns), query, METADATA_LIST):
                listed |= {item["metadata"]["uid"] for item in page["items"]}
        return frozenset(listed)

    async def _enter_epoch(self) -> int:
        """Find the epoch; a consistent list that is older than what is stored begins another.

        Raises DatabaseRestored where the Lease tells more than is stored.
        """
        stored = await self._transactions.enter()
        self._transactions.compare(await self._lease.read_step())
        path = SCHEDULED_JOBS.path(self._scope.list_places(ObjectKind.SCHEDULED_JOB)[0])
        listed = await self._client.list_page(path, {"limit": "1"})
        if int(listed["metadata"]["resourceVersion"]) >= stored.highest_version:
            return stored.number
        epoch = await self._transactions.begin_epoch()
        log.warning("the cluster's store went back: it was restored", epoch=epoch)
        return epoch

    async def _take_over(self) -> None:
        """Begin an epoch in a database that went back; the operator is told that nothing is mirrored yet."""
        epoch = await self._transactions.take_over()
        log.warning("the database is not where the mirror left it: it was restored, or is new", epoch=epoch)
        await self._renew({})

    async def _beat(self, feed: Feed) -> None:
        """Say how far the mirror is; `heard_at` is when that was committed last."""
        self._beat_at = time.monotonic()
        marks = {kind.value: number for kind, number in self._rows.marks.items()}
        progress = {
            "watermarks": orjson.dumps(marks).decode(),
            "instance": self._instance,
            "synced_at": self._read_clock() if self.is_synced else None,
            "mirrored_until": self._find_mirrored_until(feed) if self.is_synced else None,
        }
        async with self._transactions.begin():
            await self._transactions.connection.execute(sql.NOTE_PROGRESS, progress)
        self.heard_at = time.monotonic()
        self._metrics.last_beat.set(self._read_clock().timestamp())
        if self.is_synced:
            self._start_renewal()
            await self._do_side_work(feed.epoch)

    def _find_mirrored_until(self, feed: Feed) -> datetime | None:
        """Find up to when all that the cluster had is written, by the wall clock."""
        until = feed.find_written_until()
        if until is None:
            return None
        return self._read_clock() - timedelta(seconds=time.monotonic() - until)

    async def _do_side_work(self, epoch: int) -> None:
        """Close gaps and do chores; a row that is in their way must not keep others from being mirrored."""
        for work in (partial(self._rows.close_gaps, epoch), self._do_chores):
            try:
                await work()
            except Exception as error:
                if not is_refusal(error):
                    raise
                self._metrics.failures.labels(type(error).__name__).inc()
                log.exception("the mirror goes on without some of its side work")

    async def _do_chores(self) -> None:
        """Do a round of chores every minute, and with each beat while there is a lot to delete."""
        if time.monotonic() - self._chores_at >= CHORES_SECONDS:
            has_more = await self._chores.run(self._read_clock())
            self._chores_at = 0.0 if has_more else time.monotonic()

    def _start_renewal(self) -> None:
        """Renew the Lease beside the work: an API server that is away must not hold up rows."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew(dict(self._rows.marks)))

    async def _renew(self, marks: dict[ObjectKind, int]) -> None:
        jobs, pods = (marks.get(kind, 0) for kind in (ObjectKind.JOB, ObjectKind.POD))
        try:
            await self._lease.renew(LeaseProgress(jobs, pods, self._transactions.step), self._read_clock())
        except (ApiError, ApiUnreachable) as error:
            log.warning("renewing the Lease of the mirror failed", error=str(error))
