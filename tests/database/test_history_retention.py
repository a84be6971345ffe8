"""What retention deletes, and what it never does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.rows import (
    NOON,
    execution_row,
    function_row,
    instance_row,
    job_row,
    numbered,
    quarantine_row,
    running_row,
    slot_row,
)

from sundial_api.db.columns import Base
from sundial_api.db.mirror_tables import ExecutionCount, QuarantinedObject
from sundial_api.db.tables import (
    ScheduledJobExecution,
    ScheduledJobRow,
    ScheduledJobSlot,
    SchedulerInstance,
    TaskFunctionRow,
)
from sundial_api.mirror.storage.history_retention import RetentionPolicy, choose_keep, delete_batch
from sundial_api.settings import DatabaseSettings

LONG_AGO = NOON - timedelta(days=1)


def at(minute: int) -> Any:
    return NOON + timedelta(minutes=minute)


async def add(connection: AsyncConnection, table: type[Base], *rows: dict[str, Any]) -> None:
    for row in rows:
        await connection.execute(insert(table).values(row))


async def started(connection: AsyncConnection) -> list[int]:
    """Return the minutes after noon at which the executions that are left started."""
    rows = await connection.scalars(select(ScheduledJobExecution.started_at))
    return sorted(round((instant - NOON).total_seconds() / 60) for instant in rows)


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        pytest.param(RetentionPolicy(LONG_AGO, 100), [1, 2, 3, 4, 5], id="nothing-is-old"),
        pytest.param(RetentionPolicy(at(3), 100), [4, 5], id="by-age-bound-included"),
        pytest.param(RetentionPolicy(at(99), 100), [], id="all-are-old"),
        pytest.param(RetentionPolicy(LONG_AGO, 2), [4, 5], id="by-number"),
        pytest.param(RetentionPolicy(at(1), 3), [3, 4, 5], id="whichever-is-stricter"),
    ],
)
async def test_what_is_kept(
    async_connection: AsyncConnection, keep: RetentionPolicy, left: list[int]
) -> None:
    await add(async_connection, ScheduledJobRow, job_row())
    await add(async_connection, ScheduledJobExecution, *(execution_row(minute) for minute in range(1, 6)))
    while await delete_batch(async_connection, keep):
        pass
    assert await started(async_connection) == left


@pytest.mark.parametrize("status", ["pending", "running"])
async def test_what_has_not_ended_stays_however_old(async_connection: AsyncConnection, status: str) -> None:
    rows = [running_row(1, status=status), execution_row(2), execution_row(3)]
    await add(async_connection, ScheduledJobExecution, *rows)
    assert await delete_batch(async_connection, RetentionPolicy(at(99), 1)) == 2
    assert await started(async_connection) == [1]


async def test_the_number_is_of_each_job(async_connection: AsyncConnection) -> None:
    rows = [execution_row(minute, job_id=numbered(minute % 2)) for minute in range(1, 9)]
    await add(async_connection, ScheduledJobExecution, *rows)
    while await delete_batch(async_connection, RetentionPolicy(LONG_AGO, 3)):
        pass
    assert await started(async_connection) == [3, 4, 5, 6, 7, 8]


async def test_a_batch_is_no_larger_than_asked_and_takes_the_oldest(
    async_connection: AsyncConnection,
) -> None:
    await add(async_connection, ScheduledJobExecution, *(execution_row(minute) for minute in range(1, 6)))
    assert await delete_batch(async_connection, RetentionPolicy(at(99), 100), 2) == 2
    assert await started(async_connection) == [3, 4, 5]


async def test_a_job_remembers_up_to_when_its_history_is_gone(async_connection: AsyncConnection) -> None:
    await add(async_connection, ScheduledJobRow, job_row(1), job_row(2))
    await add(async_connection, ScheduledJobExecution, *(execution_row(minute) for minute in range(1, 6)))
    await delete_batch(async_connection, RetentionPolicy(at(3), 100))
    floors = select(ScheduledJobRow.name, ScheduledJobRow.history_floor).order_by(ScheduledJobRow.name)
    assert (await async_connection.execute(floors)).all() == [("Job 1", at(3)), ("Job 2", None)]


async def test_a_floor_is_never_lowered(async_connection: AsyncConnection) -> None:
    await add(async_connection, ScheduledJobRow, job_row(history_floor=at(50)))
    await add(async_connection, ScheduledJobExecution, execution_row(1))
    await delete_batch(async_connection, RetentionPolicy(at(3), 100))
    assert await async_connection.scalar(select(ScheduledJobRow.history_floor)) == at(50)


async def test_old_slots_go_and_raise_the_floor(async_connection: AsyncConnection) -> None:
    await add(async_connection, ScheduledJobRow, job_row())
    await add(async_connection, ScheduledJobSlot, slot_row(1), slot_row(2, last_slot=at(9)))
    assert await delete_batch(async_connection, RetentionPolicy(at(5), 100)) == 1
    assert list(await async_connection.scalars(select(ScheduledJobSlot.first_slot))) == [at(2)]
    assert await async_connection.scalar(select(ScheduledJobRow.history_floor)) == at(1)


async def test_slots_go_with_the_surplus_that_they_are_older_than(async_connection: AsyncConnection) -> None:
    await add(async_connection, ScheduledJobExecution, *(execution_row(minute) for minute in range(1, 6)))
    await add(async_connection, ScheduledJobSlot, slot_row(1), slot_row(2), slot_row(4))
    await delete_batch(async_connection, RetentionPolicy(LONG_AGO, 3))
    assert list(await async_connection.scalars(select(ScheduledJobSlot.first_slot))) == [at(4)]


@pytest.mark.parametrize(
    ("table", "row", "left"),
    [
        pytest.param(ScheduledJobExecution, running_row(job_id=numbered(7)), [2, 3], id="without-history"),
        pytest.param(ScheduledJobExecution, running_row(), [1, 2, 3], id="with-an-execution"),
        pytest.param(ScheduledJobSlot, slot_row(99), [2, 3], id="with-a-slot-that-goes-along"),
    ],
)
async def test_a_deleted_job_goes_after_its_history(
    async_connection: AsyncConnection, table: type[Base], row: dict[str, Any], left: list[int]
) -> None:
    await add(
        async_connection,
        ScheduledJobRow,
        job_row(1, deleted_at=at(1)),
        job_row(2, deleted_at=at(9)),
        job_row(3),
    )
    await add(async_connection, table, row)
    await delete_batch(async_connection, RetentionPolicy(at(5), 100))
    names = await async_connection.scalars(select(ScheduledJobRow.name).order_by(ScheduledJobRow.name))
    assert list(names) == [f"Job {number}" for number in left]


async def test_the_totals_of_a_forgotten_job_go_too(async_connection: AsyncConnection) -> None:
    await add(async_connection, ScheduledJobRow, job_row(deleted_at=at(1)))
    await add(async_connection, ScheduledJobExecution, execution_row(1))
    while await delete_batch(async_connection, RetentionPolicy(at(5), 100)):
        pass
    assert list(await async_connection.scalars(select(ExecutionCount.job_id))) == []


async def test_the_totals_of_a_job_that_never_was_go_with_its_runs(async_connection: AsyncConnection) -> None:
    await add(async_connection, ScheduledJobRow, job_row(2))
    runs = [execution_row(1), execution_row(2), execution_row(3, job_id=numbered(2)), running_row(9)]
    await add(async_connection, ScheduledJobExecution, *runs)
    await delete_batch(async_connection, RetentionPolicy(at(1), 100))
    totals = select(ExecutionCount.job_id, ExecutionCount.status, ExecutionCount.count)
    left = {(numbered(1), "running", 1), (numbered(1), "success", 1), (numbered(2), "success", 1)}
    assert set((await async_connection.execute(totals)).all()) == left
    await delete_batch(async_connection, RetentionPolicy(at(5), 100))
    left = {(numbered(1), "running", 1), (numbered(2), "success", 0)}
    assert set((await async_connection.execute(totals)).all()) == left


async def test_a_job_that_is_gone_goes_with_what_says_to_be_of_the_future(
    async_connection: AsyncConnection,
) -> None:
    await add(async_connection, ScheduledJobRow, job_row(1, deleted_at=at(1)), job_row(2))
    for job_id in (numbered(1), numbered(2)):
        run = execution_row(job_id.int % 10 + 50, job_id=job_id)
        await add(async_connection, ScheduledJobExecution, run)
        await add(async_connection, ScheduledJobSlot, slot_row(60, job_id=job_id))
    while await delete_batch(async_connection, RetentionPolicy(at(5), 100)):
        pass
    for column in (ScheduledJobRow.id, ScheduledJobExecution.job_id, ScheduledJobSlot.job_id):
        assert list(await async_connection.scalars(select(column))) == [numbered(2)]


async def test_functions_that_are_gone_and_that_no_job_shows_go(async_connection: AsyncConnection) -> None:
    gone = [function_row(number, deleted_at=at(number)) for number in (2, 3, 9)]
    await add(async_connection, TaskFunctionRow, *gone, function_row(4))
    await add(async_connection, ScheduledJobRow, job_row(task_function_id=3))
    assert await delete_batch(async_connection, RetentionPolicy(at(5), 100)) == 1
    left = select(TaskFunctionRow.id).order_by(TaskFunctionRow.id)
    assert list(await async_connection.scalars(left)) == [1, 3, 4, 9]


async def test_gone_processes_and_old_quarantine_go(async_connection: AsyncConnection) -> None:
    gone = [instance_row(1, deleted_at=at(1)), instance_row(2, deleted_at=at(9)), instance_row(3)]
    await add(async_connection, SchedulerInstance, *gone)
    await add(async_connection, QuarantinedObject, quarantine_row(1), quarantine_row(2, last_seen=at(9)))
    assert await delete_batch(async_connection, RetentionPolicy(at(5), 100)) == 2
    left = set(await async_connection.scalars(select(SchedulerInstance.id)))
    assert left == {numbered(2), numbered(3)}


def test_the_settings_say_what_is_kept() -> None:
    settings = DatabaseSettings(database_url="postgresql://db", history_days=30, history_runs=7)
    assert choose_keep(settings, NOON) == RetentionPolicy(NOON - timedelta(days=30), 7)
