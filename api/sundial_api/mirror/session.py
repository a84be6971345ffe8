"""What does the active mirror do? Follows the cluster, has rows written, and says how far it is.

One session is one database connection in one epoch: whatever breaks ends it, and the next one lists anew.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.clock import Clock
from sundial_api.mirror.feed import RESOURCES, Feed, WatchScope
from sundial_api.mirror.maintenance import Maintenance
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.mirror_lease import MirrorLease
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.row_writer import RowWriter, is_refusal
from sundial_api.mirror.storage import statements as sql
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
        self._connection = connection
        self._client = client
        self._metrics = metrics
        self._scope = role.scope
        self._read_clock = role.read_clock
        self._instance = role.instance
        self._lease = MirrorLease(client, role.scope.installation_ns, role.instance)
        self._chores = Maintenance(connection, role.settings, metrics)
        self._chores_at = 0.0
        self._rows = RowWriter(connection, self._list_again, metrics, role.read_clock)
        self._started_at = self.heard_at = time.monotonic()
        self._beat_at = 0.0
        self._renewal: asyncio.Task[None] | None = None
        self.is_synced = False

    async def run(self) -> None:
        """Mirror until something breaks; raises ApiError, ApiUnreachable, SQLAlchemy's errors, and an
        ExceptionGroup of what ended a reflector."""
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
            await self._beat(feed.epoch)

    def _note_synced(self) -> None:
        seconds = time.monotonic() - self._started_at
        self._metrics.sync_seconds.set(seconds)
        self._metrics.synced.set(1)
        self.is_synced = True
        self._beat_at = 0.0
        log.info("mirrored all", seconds=round(seconds, 2))

    async def _list_again(self, kind: ObjectKind) -> frozenset[str]:
        """List a kind once more, consistently; returns the UIDs."""
        is_marked = kind in (ObjectKind.JOB, ObjectKind.POD)
        query = {"labelSelector": names.SCHEDULED_JOB_UID} if is_marked else {}
        path = RESOURCES[kind].path(self._scope.watched_ns or None)
        pages = [page async for page in self._client.list_pages(path, query, METADATA_LIST)]
        return frozenset(item["metadata"]["uid"] for page in pages for item in page["items"])

    async def _enter_epoch(self) -> int:
        """Find the epoch; a consistent list that is older than what is stored begins another."""
        async with self._connection.begin():
            stored = (await self._connection.execute(sql.READ_EPOCH)).one()
        path = SCHEDULED_JOBS.path(self._scope.watched_ns or None)
        listed = await self._client.list_page(path, {"limit": "1"})
        epoch: int = stored.epoch
        if int(listed["metadata"]["resourceVersion"]) >= stored.highest_resource_version:
            return epoch
        async with self._connection.begin():
            raised = await self._connection.scalar(sql.RAISE_EPOCH, {"epoch": epoch})
        log.warning("the cluster's store went back: it was restored", epoch=raised)
        return raised or epoch

    async def _beat(self, epoch: int) -> None:
        """Say how far the mirror is; `heard_at` is when that was committed last."""
        self._beat_at = time.monotonic()
        marks = {kind.value: number for kind, number in self._rows.marks.items()}
        progress = {
            "watermarks": orjson.dumps(marks).decode(),
            "instance": self._instance,
            "synced_at": self._read_clock() if self.is_synced else None,
        }
        async with self._connection.begin():
            await self._connection.execute(sql.NOTE_PROGRESS, progress)
        self.heard_at = time.monotonic()
        self._metrics.last_beat.set(self._read_clock().timestamp())
        if self.is_synced:
            self._start_renewal()
            await self._do_side_work(epoch)

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
        try:
            await self._lease.renew(
                marks.get(ObjectKind.JOB, 0), marks.get(ObjectKind.POD, 0), self._read_clock()
            )
        except (ApiError, ApiUnreachable) as error:
            log.warning("renewing the Lease of the mirror failed", error=str(error))
