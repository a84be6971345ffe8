"""Which history goes? Ended executions past an age or beyond a number a job, slots with them, old leftovers.

A call deletes one small batch: its caller commits, and calls again until nothing was deleted, so that no lock
is held for long. What has not ended stays, however old. The `history_floor` of a job says up to when its
history is gone: the mirror makes no row again of what the cluster still shows from before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, exists, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.bookkeeping import ExecutionCount, QuarantinedObject
from sundial_api.db.tables import ScheduledJob, ScheduledJobExecution, ScheduledJobSlot, SchedulerInstance
from sundial_api.settings import DatabaseSettings

BATCH = 1000
OPEN = ("pending", "running")
ENDED = ScheduledJobExecution.status.not_in(OPEN)

Floors = Mapping[UUID, datetime]


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept: what is from after an instant, and so many ended executions of each job."""

    after: datetime
    runs: int


def choose_keep(settings: DatabaseSettings, now: datetime) -> Keep:
    """Say what the settings keep at an instant."""
    return Keep(now - timedelta(days=settings.history_days), settings.history_runs)


async def delete_batch(connection: AsyncConnection, keep: Keep, size: int = BATCH) -> int:
    """Delete at most `size` rows of each sort that are not to be kept; returns how many went."""
    deleted = await _delete_old_executions(connection, keep.after, size)
    deleted += await _delete_surplus(connection, keep.runs, size)
    deleted += await _delete_old_slots(connection, keep.after, size)
    return deleted + await _delete_leftovers(connection, keep.after, size)


async def _delete_old_executions(connection: AsyncConnection, after: datetime, size: int) -> int:
    table = ScheduledJobExecution
    old = select(table.id).where(table.started_at <= after, ENDED)
    floors, deleted = await _delete_executions(
        connection, old.order_by(table.started_at, table.id).limit(size)
    )
    await _raise_floors(connection, floors)
    return deleted


async def _delete_surplus(connection: AsyncConnection, runs: int, size: int) -> int:
    """Delete of the fullest job what is beyond its number, and the slots that are older than that."""
    total = func.sum(ExecutionCount.count)
    ended = select(ExecutionCount.job_id).where(ExecutionCount.status.not_in(OPEN))
    fullest = ended.group_by(ExecutionCount.job_id).having(total > runs).order_by(total.desc()).limit(1)
    table = ScheduledJobExecution
    job_id = await connection.scalar(fullest)
    if job_id is None:
        return 0
    newest_first = select(table.id).where(table.job_id == job_id, ENDED)
    newest_first = newest_first.order_by(table.started_at.desc(), table.id.desc())
    floors, deleted = await _delete_executions(connection, newest_first.offset(runs).limit(size))
    await _raise_floors(connection, floors)
    for floor in floors.values():
        before = (ScheduledJobSlot.job_id == job_id, ScheduledJobSlot.last_slot <= floor)
        deleted += len(await _delete_slots(connection, _slot_keys().where(*before).limit(size)))
    return deleted


async def _delete_old_slots(connection: AsyncConnection, after: datetime, size: int) -> int:
    old = _slot_keys().where(ScheduledJobSlot.last_slot <= after)
    rows = await _delete_slots(connection, old.order_by(ScheduledJobSlot.last_slot).limit(size))
    await _raise_floors(connection, _find_newest(rows))
    return len(rows)


def _slot_keys() -> Select[UUID, datetime]:
    return select(ScheduledJobSlot.job_id, ScheduledJobSlot.first_slot)


async def _delete_slots(
    connection: AsyncConnection, chosen: Select[UUID, datetime]
) -> list[tuple[UUID, datetime]]:
    slot = ScheduledJobSlot
    doomed = delete(slot).where(tuple_(slot.job_id, slot.first_slot).in_(chosen))
    answer = await connection.execute(doomed.returning(slot.job_id, slot.last_slot))
    return [(job_id, last_slot) for job_id, last_slot in answer]


async def _delete_executions(connection: AsyncConnection, chosen: Select[UUID]) -> tuple[Floors, int]:
    table = ScheduledJobExecution
    doomed = delete(table).where(table.id.in_(chosen)).returning(table.job_id, table.started_at)
    rows = [(job_id, started_at) for job_id, started_at in await connection.execute(doomed)]
    return _find_newest(rows), len(rows)


def _find_newest(rows: Iterable[tuple[UUID, datetime]]) -> Floors:
    newest: dict[UUID, datetime] = {}
    for job_id, instant in rows:
        newest[job_id] = max(instant, newest.get(job_id, instant))
    return newest


async def _raise_floors(connection: AsyncConnection, floors: Floors) -> None:
    """Raise floors in the order of ids, as the mirror locks jobs, and never lower one."""
    if not floors:
        return
    raised = func.greatest(ScheduledJob.history_floor, bindparam("floor"))
    change = update(ScheduledJob).where(ScheduledJob.id == bindparam("job_id")).values(history_floor=raised)
    values = [{"job_id": job_id, "floor": floors[job_id]} for job_id in sorted(floors)]
    await connection.execute(change, values)


async def _delete_leftovers(connection: AsyncConnection, after: datetime, size: int) -> int:
    """Delete jobs that have been gone for as long and left no history, gone processes, old quarantine."""
    job, instance, odd = ScheduledJob, SchedulerInstance, QuarantinedObject
    has_history = exists().where(ScheduledJobExecution.job_id == job.id)
    has_slots = exists().where(ScheduledJobSlot.job_id == job.id)
    forgotten = select(job.id).where(job.deleted_at <= after, ~has_history, ~has_slots).limit(size)
    doomed = delete(job).where(job.id.in_(forgotten)).returning(job.id)
    ids = list(await connection.scalars(doomed))
    await connection.execute(delete(ExecutionCount).where(ExecutionCount.job_id.in_(ids)))
    gone = await connection.execute(delete(instance).where(instance.deleted_at <= after))
    old = await connection.execute(delete(odd).where(odd.last_seen <= after))
    return len(ids) + gone.rowcount + old.rowcount
