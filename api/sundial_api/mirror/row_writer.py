"""How does what the feed brings become rows? Together, and where that fails one by one.

A bad object hurts only itself: what the database or our own code does not take of it is its own quarantine.
Trouble of the connection or of the server is nobody's fault, and ends the session.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from sundial_api.clock import Clock
from sundial_api.mirror.feed import Feed, FeedBatch, FeedChange, Place, is_reject
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.projection.batches import Absence, Burial, ObjectKind, sort_values
from sundial_api.mirror.projection.rejects import build_reject, describe
from sundial_api.mirror.projection.versions import Version
from sundial_api.mirror.storage import apply, gaps, log_tails, quarantine, tombstones
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.log_tails import LogPurpose
from sundial_api.mirror.storage.transactions import MirrorTransactions, StepLost
from sundial_core.resources.reasons import Reason

log = structlog.get_logger()

Item = TypeVar("Item")

REFUSALS = ("21", "22", "23", "54")
"""The classes of Postgres' errors that are about values: the same row twice, no such value, a constraint, a
limit exceeded. A table or a right that is missing is not the objects' fault."""
MAX_LOGGED_CHARS = 200

ListAgain = Callable[[Absence], Awaitable[frozenset[str]]]
"""Lists once more, consistently, where a list is from; returns the UIDs."""


class RowWriter:
    """Writes rows in the transactions of one session, in the epoch of one feed.

    Logs are wanted for these purposes.
    """

    def __init__(
        self,
        transactions: MirrorTransactions,
        list_again: ListAgain,
        metrics: MirrorMetrics,
        read_clock: Clock,
        purposes: frozenset[LogPurpose],
    ) -> None:
        self._transactions = transactions
        self._connection = transactions.connection
        self._purposes = purposes
        self._list_again = list_again
        self._metrics = metrics
        self._read_clock = read_clock
        self._unlisted: set[Place] | None = None
        self._gaps_after = sql.FIRST_ID
        self.marks: dict[ObjectKind, int] = {}
        """Up to which version of each kind all is committed."""

    @property
    def is_synced(self) -> bool:
        """Tell whether all that the cluster held at the session's start is written."""
        return self._unlisted is not None and not self._unlisted

    async def write(self, feed: Feed) -> None:
        """Write the oldest changes that wait, and compare the lists that are then complete."""
        if self._unlisted is None:
            self._unlisted = set(feed.places)
        batch = feed.cut()
        if batch.changes:
            await self._write_batch(batch)
        self.marks.update(batch.marks)
        for absence in feed.take_lists():
            await self._apply_list(absence)

    async def close_gaps(self, epoch: int) -> None:
        """Write down how many slots passed unseen, of the next jobs of which all else is written."""
        mirrored = Version(epoch, self.marks.get(ObjectKind.JOB, 0))
        async with self._connection.begin():
            await apply.take_turn(self._connection)
            ids = await gaps.list_closable(self._connection, mirrored, self._gaps_after)
            self._gaps_after = ids[-1] if len(ids) == gaps.MAX_AT_ONCE else sql.FIRST_ID
        await _find_blamed(ids, self._close_together, self._note_open_gap)

    async def _close_together(self, ids: Sequence[str]) -> None:
        async with self._transactions.begin():
            await apply.take_turn(self._connection)
            self._metrics.gaps.inc(await gaps.close_gaps(self._connection, ids))

    async def _note_open_gap(self, job_id: str, error: Exception) -> None:
        self._metrics.failures.labels(type(error).__name__).inc()
        log.warning("a gap of a job stays open", job=job_id, error=describe_refusal(error)[:MAX_LOGGED_CHARS])

    async def _write_batch(self, batch: FeedBatch) -> None:
        began = time.monotonic()
        await _find_blamed(batch.changes, self._write_together, self._quarantine)
        now = time.monotonic()
        self._metrics.batch.observe(now - began)
        for change in batch.changes:
            self._metrics.lag.observe(now - change.seen_at)
            self._metrics.changes.labels(change.key[0].value).inc()

    async def _write_together(self, changes: Sequence[FeedChange]) -> None:
        readable = [change.key for change in changes if not is_reject(change)]
        batch = sort_values([change.value for change in changes], readable)
        now = self._read_clock()
        async with self._transactions.begin():
            settled = await apply.apply_batch(self._connection, batch, now)
            await self._bury(batch.burials, now)
            if self._purposes:
                await log_tails.want(self._connection, settled.rows, now, self._purposes)
        unknown = [row for row in settled.rows if row.reason == Reason.OUTCOME_UNKNOWN]
        self._metrics.unknown_outcomes.inc(len(unknown))
        self._metrics.quarantined.inc(len(batch.rejects) + len(settled.refused))
        if settled.refused:
            first = settled.refused[0]
            where = {"kind": first.kind, "namespace": first.namespace, "name": first.resource_name}
            log.warning("objects are not of the run that they name", **where, objects=len(settled.refused))

    async def _bury(self, burials: Sequence[Burial], now: datetime) -> None:
        """Bury what is gone, kind by kind, inside the transaction that is open."""
        for kind in {burial.kind for burial in burials}:
            gone = [burial for burial in burials if burial.kind is kind]
            absence = Absence(kind, max(burial.version for burial in gone), frozenset())
            uids = frozenset(burial.uid for burial in gone)
            await tombstones.write_tombstones(self._connection, absence, uids, now)

    async def _quarantine(self, change: FeedChange, error: Exception) -> None:
        """Keep what is known of an object that was refused; if it is gone, it is so all the same."""
        origin, now = change.origin, self._read_clock()
        reject = build_reject(origin, describe_refusal(error))
        named = {"kind": origin.kind, "namespace": origin.namespace, "name": origin.name}
        log.warning("an object is not mirrored", **named, error=reject.error[:MAX_LOGGED_CHARS])
        self._metrics.quarantined.inc()
        async with self._transactions.begin():
            await apply.take_turn(self._connection)
            await quarantine.keep(self._connection, [reject], now)
            if change.is_deletion:
                kind, uid = change.key
                await self._bury([Burial(kind, uid, Version(origin.epoch, origin.version))], now)

    async def _apply_list(self, absence: Absence) -> None:
        """Compare a complete list with the rows."""
        async with self._connection.begin():
            missing = await tombstones.list_missing(self._connection, absence)
        uids = missing.uids
        if tombstones.needs_second_list(missing):
            self._metrics.doubted_lists.inc()
            log.warning("a list names so few that another is asked for", kind=absence.kind, missing=len(uids))
            uids -= await self._list_again(absence)
        if uids:
            async with self._transactions.begin():
                await tombstones.write_tombstones(self._connection, absence, uids, self._read_clock())
        if self._unlisted is not None:
            self._unlisted.discard((absence.kind, absence.ns))


async def _find_blamed(
    items: Sequence[Item],
    write: Callable[[Sequence[Item]], Awaitable[None]],
    blame: Callable[[Item, Exception], Awaitable[None]],
) -> None:
    """Write items together; where that is refused, find out by halves which ones are to blame."""
    if not items:
        return
    try:
        await write(items)
    except Exception as error:
        if not is_refusal(error):
            raise
        if len(items) == 1:
            await blame(items[0], error)
            return
        middle = len(items) // 2
        await _find_blamed(items[:middle], write, blame)
        await _find_blamed(items[middle:], write, blame)


def describe_refusal(error: Exception) -> str:
    """Describe why an object was not taken; of the database only its own sentence, without the row."""
    if not isinstance(error, DBAPIError):
        return describe(error)
    said = getattr(getattr(error.orig, "diag", None), "message_primary", None)
    return f"the database refused it: {said or type(error.orig).__name__}"


def is_refusal(error: Exception) -> bool:
    """Tell whether what was written is to blame, and neither the connection nor the server."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return False
    if isinstance(cause, psycopg.Error):  # one without a state is of a value that Python cannot hold
        return cause.sqlstate[:2] in REFUSALS if cause.sqlstate else isinstance(cause, psycopg.DataError)
    return not isinstance(cause, SQLAlchemyError | OSError | MemoryError | StepLost)
