"""Which history goes? Ended executions past an age or beyond a number a job, slots with them, old leftovers.

A call deletes one small batch: its caller commits, and calls again until nothing was deleted, so that the
mirror never waits long for its turn. What has not ended stays, however old. The `history_floor` of a job says
up to when its history is gone: the mirror makes no row again of what the cluster shows from before it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, exists, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.mirror_tables import (
    ExecutionCount,
    ExecutionLogTail,
    QuarantinedObject,
    ScheduledJobChange,
    ScheduledJobState,
)
from sundial_api.db.tables import (
    ScheduledJobExecution,
    ScheduledJobRow,
    ScheduledJobSlot,
    SchedulerInstance,
    TaskFunctionRow,
)
from sundial_api.mirror.storage.apply import WRITE_LOCK
from sundial_api.mirror.storage.statements import LOCK_WRITES
from sundial_api.settings import DatabaseSettings

BATCH = 1000
OPEN = ("pending", "running")
ENDED = ScheduledJobExecution.status.not_in(OPEN)


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """What is kept: what is from after an instant, and so many ended executions of each job."""

    after: datetime
    runs: int


class _Expired(NamedTuple):
    """A row to delete, by an execution's id or a slot's first instant; and up to when it reaches."""

    job_id: UUID
    until: datetime
    key: UUID | datetime


def choose_keep(settings: DatabaseSettings, now: datetime) -> RetentionPolicy:
    """Say what the settings keep at an instant."""
    return RetentionPolicy(now - timedelta(days=settings.history_days), settings.history_runs)


async def delete_batch(connection: AsyncConnection, keep: RetentionPolicy, size: int = BATCH) -> int:
    """Delete at most some `size` rows of each sort that are not to be kept; returns how many went.

    Rows are looked for first, and deleted in one of the turns that the writers of rows take.
    """
    executions = await _read_old_executions(connection, keep.after, size)
    surplus = await _read_surplus(connection, keep.runs, size)
    executions += await _read_executions_of_gone(connection, keep.after, size)
    slots = await _read_old_slots(connection, keep.after, size)
    slots += await _read_slots_of_gone(connection, keep.after, size)
    slots += await _read_slots_before(connection, surplus, size)
    await connection.execute(LOCK_WRITES, {"key": WRITE_LOCK})
    await _raise_floors(connection, [*executions, *surplus, *slots])
    deleted = await _delete_executions(connection, [*executions, *surplus])
    deleted += await _delete_slots(connection, slots)
    deleted += await _delete_changes(connection, keep.after, size)
    deleted += await _delete_log_tails(connection, keep.after, size)
    return deleted + await _delete_leftovers(connection, keep.after, size)


async def _read_old_executions(connection: AsyncConnection, after: datetime, size: int) -> list[_Expired]:
    table = ScheduledJobExecution
    old = select(table.job_id, table.started_at, table.id).where(table.started_at <= after, ENDED)
    rows = await connection.execute(old.order_by(table.started_at, table.id).limit(size))
    return [_Expired(*row) for row in rows]


async def _read_surplus(connection: AsyncConnection, runs: int, size: int) -> list[_Expired]:
    """Find what the fullest job has beyond its number."""
    total = func.sum(ExecutionCount.count)
    ended = select(ExecutionCount.job_id).where(ExecutionCount.status.not_in(OPEN))
    fullest = ended.group_by(ExecutionCount.job_id).having(total > runs).order_by(total.desc()).limit(1)
    job_id = await connection.scalar(fullest)
    if job_id is None:
        return []
    table = ScheduledJobExecution
    of_job = select(table.job_id, table.started_at, table.id).where(table.job_id == job_id, ENDED)
    newest_first = of_job.order_by(table.started_at.desc(), table.id.desc())
    return [_Expired(*row) for row in await connection.execute(newest_first.offset(runs).limit(size))]


async def _read_old_slots(connection: AsyncConnection, after: datetime, size: int) -> list[_Expired]:
    slot = ScheduledJobSlot
    old = select(slot.job_id, slot.last_slot, slot.first_slot).where(slot.last_slot <= after)
    return [_Expired(*row) for row in await connection.execute(old.order_by(slot.last_slot).limit(size))]


async def _read_executions_of_gone(connection: AsyncConnection, after: datetime, size: int) -> list[_Expired]:
    """Find what jobs that were gone by then have left, whenever that says it was: it may be forged."""
    table, job = ScheduledJobExecution, ScheduledJobRow
    left = select(table.job_id, table.started_at, table.id).join(job, job.id == table.job_id)
    gone = left.where(job.deleted_at <= after, table.started_at > after, ENDED)
    return [_Expired(*row) for row in await connection.execute(gone.limit(size))]


async def _read_slots_of_gone(connection: AsyncConnection, after: datetime, size: int) -> list[_Expired]:
    slot, job = ScheduledJobSlot, ScheduledJobRow
    left = select(slot.job_id, slot.last_slot, slot.first_slot).join(job, job.id == slot.job_id)
    gone = left.where(job.deleted_at <= after, slot.last_slot > after)
    return [_Expired(*row) for row in await connection.execute(gone.limit(size))]


async def _read_slots_before(
    connection: AsyncConnection, surplus: Sequence[_Expired], size: int
) -> list[_Expired]:
    """Find the slots that are older than the surplus of their job."""
    if not surplus:
        return []
    slot = ScheduledJobSlot
    floor = max(row.until for row in surplus)
    older = select(slot.job_id, slot.last_slot, slot.first_slot).where(
        slot.job_id == surplus[0].job_id, slot.last_slot <= floor
    )
    return [_Expired(*row) for row in await connection.execute(older.limit(size))]


async def _raise_floors(connection: AsyncConnection, doomed: Sequence[_Expired]) -> None:
    floors: dict[UUID, datetime] = {}
    for row in doomed:
        floors[row.job_id] = max(row.until, floors.get(row.job_id, row.until))
    if floors:
        raised = func.greatest(ScheduledJobRow.history_floor, bindparam("floor"))
        change = update(ScheduledJobRow).where(ScheduledJobRow.id == bindparam("job_id"))
        values = [{"job_id": job_id, "floor": floor} for job_id, floor in floors.items()]
        await connection.execute(change.values(history_floor=raised), values)


async def _delete_executions(connection: AsyncConnection, doomed: Sequence[_Expired]) -> int:
    """Delete executions with what is kept of their logs."""
    ids = {row.key for row in doomed}
    if not ids:
        return 0
    await connection.execute(delete(ExecutionLogTail).where(ExecutionLogTail.execution_id.in_(ids)))
    gone = await connection.execute(delete(ScheduledJobExecution).where(ScheduledJobExecution.id.in_(ids)))
    await _delete_empty_counts(connection, {row.job_id for row in doomed})
    return gone.rowcount


async def _delete_empty_counts(connection: AsyncConnection, job_ids: Collection[UUID]) -> None:
    """Delete the totals of jobs that were only named by runs: no row of a job will go and take them along."""
    count = ExecutionCount
    is_known = exists().where(ScheduledJobRow.id == count.job_id)
    empty = count.job_id.in_(job_ids) & (count.count == 0) & ~is_known
    await connection.execute(delete(count).where(empty))


async def _delete_slots(connection: AsyncConnection, doomed: Sequence[_Expired]) -> int:
    keys = {(row.job_id, row.key) for row in doomed}
    if not keys:
        return 0
    key = tuple_(ScheduledJobSlot.job_id, ScheduledJobSlot.first_slot)
    return (await connection.execute(delete(ScheduledJobSlot).where(key.in_(keys)))).rowcount


async def _delete_changes(connection: AsyncConnection, after: datetime, size: int) -> int:
    """Delete old entries of the log of changes."""
    change = ScheduledJobChange
    old = select(change.id).where(change.seen_at <= after).order_by(change.seen_at).limit(size)
    return (await connection.execute(delete(change).where(change.id.in_(old)))).rowcount


async def _delete_log_tails(connection: AsyncConnection, after: datetime, size: int) -> int:
    """Delete old ends of logs, those included whose execution went otherwise."""
    tail = ExecutionLogTail
    key = tuple_(tail.execution_id, tail.attempt, tail.pod_uid)
    old = select(tail.execution_id, tail.attempt, tail.pod_uid).where(tail.wanted_at <= after)
    oldest = old.order_by(tail.wanted_at).limit(size)
    return (await connection.execute(delete(tail).where(key.in_(oldest)))).rowcount


async def _delete_leftovers(connection: AsyncConnection, after: datetime, size: int) -> int:
    """Delete jobs that have been gone for as long and left no history, functions that have been gone and that
    no job shows, gone processes, old quarantine."""
    job, instance, odd = ScheduledJobRow, SchedulerInstance, QuarantinedObject
    has_history = exists().where(ScheduledJobExecution.job_id == job.id)
    has_slots = exists().where(ScheduledJobSlot.job_id == job.id)
    has_changes = exists().where(ScheduledJobChange.job_id == job.id)
    has_any = has_history | has_slots | has_changes
    forgotten = select(job.id).where(job.deleted_at <= after, ~has_any).limit(size)
    ids = list(await connection.scalars(delete(job).where(job.id.in_(forgotten)).returning(job.id)))
    await connection.execute(delete(ExecutionCount).where(ExecutionCount.job_id.in_(ids)))
    await connection.execute(delete(ScheduledJobState).where(ScheduledJobState.job_id.in_(ids)))
    functions = await _delete_functions(connection, after, size)
    gone = await connection.execute(delete(instance).where(instance.deleted_at <= after))
    old = await connection.execute(delete(odd).where(odd.last_seen <= after))
    return len(ids) + functions + gone.rowcount + old.rowcount


async def _delete_functions(connection: AsyncConnection, after: datetime, size: int) -> int:
    function = TaskFunctionRow
    is_shown = exists().where(ScheduledJobRow.task_function_id == function.id)
    forgotten = select(function.id).where(function.deleted_at <= after, ~is_shown).limit(size)
    return (await connection.execute(delete(function).where(function.id.in_(forgotten)))).rowcount
