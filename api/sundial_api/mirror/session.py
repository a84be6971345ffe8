"""What does the active mirror do? Writes what the feed brings, compares lists, says how far it is.

One session is one database connection in one epoch: whatever breaks ends it, and the next one lists anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import structlog
from sqlalchemy.exc import DataError, IntegrityError, InternalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.clock import Clock
from sundial_api.mirror.feed import (
    RESOURCES,
    Feed,
    FeedBatch,
    FeedChange,
    WatchScope,
    is_reject,
)
from sundial_api.mirror.maintenance import Maintenance
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.mirror_lease import MirrorLease
from sundial_api.mirror.projection.batches import (
    READ_ERRORS,
    Absence,
    ObjectKind,
    Value,
    reject_value,
    sort_values,
)
from sundial_api.mirror.storage import apply, tombstones
from sundial_api.mirror.storage import statements as sql
from sundial_api.settings import DatabaseSettings
from sundial_core.resources import names
from sundial_core.resources.reasons import Reason
from sundial_kube.client import METADATA_LIST, KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.resources import SCHEDULED_JOBS

log = structlog.get_logger()

BEAT_SECONDS = 10.0
"""How often the session says how far it is, to the database and to the operator."""

CHORES_SECONDS = 60.0

REFUSALS = (DataError, IntegrityError, InternalError, ProgrammingError, *READ_ERRORS)
"""What comes of rows that cannot be written or are not taken; anything else ends the session."""


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
        self._unlisted = set(ObjectKind)
        self._quarantined: set[str] = set()
        self._marks: dict[ObjectKind, int] = {}
        self._started_at = time.monotonic()
        self._beat_at = 0.0
        self._renewal: asyncio.Task[None] | None = None
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """Mirror until something breaks; raises ApiError, ApiUnreachable, SQLAlchemy's errors, and an
        ExceptionGroup of what ended a reflector."""
        feed = Feed(self._client, self._scope, await self._enter_epoch())
        self._metrics.epoch.set(feed.epoch)
        self._metrics.watch_waiting(lambda: len(feed))
        async with self._connection.begin():
            self._quarantined = {str(key) for key in await self._connection.scalars(sql.READ_QUARANTINED)}
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
        cut = feed.cut()
        if cut.changes:
            await self._write(cut)
        self._marks.update(cut.marks)
        for absence in feed.take_lists():
            await self._apply_list(absence)
        if time.monotonic() - self._beat_at >= BEAT_SECONDS:
            await self._beat()

    async def _write(self, cut: FeedBatch) -> None:
        began = time.monotonic()
        await self._write_changes(cut.changes)
        now = time.monotonic()
        self._metrics.batch.observe(now - began)
        for change in cut.changes:
            self._metrics.lag.observe(now - change.seen_at)
            self._metrics.changes.labels(change.key[0].value).inc()

    async def _write_changes(self, changes: Sequence[FeedChange]) -> None:
        """Write changes together; where the database refuses that, find out which ones are to blame."""
        readable = [change.key[1] for change in changes if not is_reject(change)]
        released = [uid for uid in readable if uid in self._quarantined]
        kept = [change.key[1] for change in changes if is_reject(change)]
        try:
            await self._write_values([change.value for change in changes], released)
        except REFUSALS as error:
            if len(changes) > 1:
                await self._write_changes(changes[: len(changes) // 2])
                await self._write_changes(changes[len(changes) // 2 :])
                return
            await self._quarantine(changes[0], error)
            kept = [changes[0].key[1]]
        self._quarantined.update(kept)
        self._quarantined.difference_update(released)
        self._metrics.quarantined.inc(len(kept))

    async def _write_values(self, values: list[Value], released: list[str]) -> None:
        async with self._connection.begin():
            written = await apply.apply_batch(
                self._connection, sort_values(values, released), self._read_clock()
            )
        unknown = [row for row in written if row.reason == Reason.OUTCOME_UNKNOWN]
        self._metrics.unknown_outcomes.inc(len(unknown))

    async def _quarantine(self, change: FeedChange, error: Exception) -> None:
        log.warning("the database refused an object", kind=change.key[0], uid=change.key[1])
        reject = reject_value(change.key, change.value, error)
        async with self._connection.begin():
            await apply.keep_rejects(self._connection, [reject], self._read_clock())

    async def _apply_list(self, absence: Absence) -> None:
        """Compare a complete list with the rows; once each kind had one, all that is known is written."""
        async with self._connection.begin():
            missing = await tombstones.list_missing(self._connection, absence)
        uids = missing.uids
        if tombstones.needs_second_list(missing):
            self._metrics.doubted_lists.inc()
            log.warning("a list names so few that another is asked for", kind=absence.kind, missing=len(uids))
            uids -= await self._list_again(absence.kind)
        if uids:
            async with self._connection.begin():
                await tombstones.write_tombstones(self._connection, absence, uids, self._read_clock())
        self._unlisted.discard(absence.kind)
        if not self._unlisted and not self.synced.is_set():
            await self._note_synced()

    async def _note_synced(self) -> None:
        self._metrics.sync_seconds.set(time.monotonic() - self._started_at)
        self._metrics.synced.set(1)
        self.synced.set()
        self._beat_at = 0.0
        await self._close_gaps()
        log.info("mirrored all", seconds=round(time.monotonic() - self._started_at, 2))

    async def _close_gaps(self) -> None:
        async with self._connection.begin():
            self._metrics.gaps.inc(await apply.close_gaps(self._connection))

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

    async def _beat(self) -> None:
        """Say how far the mirror is."""
        self._beat_at = time.monotonic()
        is_synced = self.synced.is_set()
        marks = {kind.value: number for kind, number in self._marks.items()}
        progress = {
            "watermarks": orjson.dumps(marks).decode(),
            "instance": self._instance,
            "synced_at": self._read_clock() if is_synced else None,
        }
        async with self._connection.begin():
            await self._connection.execute(sql.NOTE_PROGRESS, progress)
        if is_synced:
            await self._close_gaps()
            self._start_renewal()
            await self._do_chores()

    async def _do_chores(self) -> None:
        """Do a round of chores every minute, and with each beat while there is a lot to delete."""
        if time.monotonic() - self._chores_at >= CHORES_SECONDS:
            has_more = await self._chores.run(self._read_clock())
            self._chores_at = 0.0 if has_more else time.monotonic()

    def _start_renewal(self) -> None:
        """Renew the Lease beside the work: an API server that is away must not hold up rows."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew(dict(self._marks)))

    async def _renew(self, marks: dict[ObjectKind, int]) -> None:
        try:
            await self._lease.renew(
                marks.get(ObjectKind.JOB, 0), marks.get(ObjectKind.POD, 0), self._read_clock()
            )
        except (ApiError, ApiUnreachable) as error:
            log.warning("renewing the Lease of the mirror failed", error=str(error))
