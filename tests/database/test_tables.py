"""What the tables refuse, compute and let through."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError
from testkit.rows import (
    NOON,
    execution_row,
    function_row,
    job_row,
    numbered,
    running_row,
    slot_row,
)

from sundial_api.db.columns import OPEN_ENDED, Base
from sundial_api.db.mirror_tables import MirrorState, TaskFunctionId
from sundial_api.db.tables import (
    ScheduledJobExecution,
    ScheduledJobRow,
    ScheduledJobSlot,
    TaskFunctionRow,
)

Job, Execution, Slot = ScheduledJobRow, ScheduledJobExecution, ScheduledJobSlot
LATER = NOON + timedelta(hours=1)
EARLIER = NOON - timedelta(hours=1)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        pytest.param(Execution, execution_row(status="done"), id="unknown-status"),
        pytest.param(Execution, execution_row(status="running"), id="running-and-completed"),
        pytest.param(Execution, execution_row(triggered_by="cron"), id="unknown-trigger"),
        pytest.param(Execution, execution_row(started_at=None), id="never-started"),
        pytest.param(Job, job_row(last_status="timeout"), id="unknown-last-status"),
        pytest.param(TaskFunctionRow, function_row(handler_type="shell"), id="unknown-handler"),
        pytest.param(Slot, slot_row(last_slot=EARLIER), id="slots-in-the-wrong-order"),
        pytest.param(Slot, slot_row(count=0), id="no-slot"),
        pytest.param(MirrorState, {"id": 2}, id="second-mirror-state"),
        pytest.param(TaskFunctionId, {"id": 0, "namespace": "a", "resource_name": "b"}, id="function-zero"),
        pytest.param(
            TaskFunctionId,
            {"id": 9, "namespace": "", "resource_name": "inline"},
            id="second-id-of-a-function",
        ),
    ],
)
def test_a_row_that_cannot_be_true_is_refused(
    connection: Connection, table: type[Base], row: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(insert(table).values(row))


@pytest.mark.parametrize(
    ("suspended", "paused_until", "shown"),
    [
        pytest.param(False, None, (True, False), id="neither"),
        pytest.param(True, None, (False, False), id="suspended"),
        pytest.param(False, OPEN_ENDED, (False, True), id="paused"),
        pytest.param(False, LATER, (False, True), id="paused-until"),
        pytest.param(True, OPEN_ENDED, (False, True), id="both"),
    ],
)
def test_enabled_and_paused_follow_from_what_the_object_says(
    connection: Connection, suspended: Any, paused_until: Any, shown: tuple[bool, bool]
) -> None:
    row = job_row(suspended=suspended, paused_until=paused_until)
    connection.execute(insert(Job).values(row))
    assert connection.execute(select(Job.is_enabled, Job.is_paused)).one() == shown


@pytest.mark.parametrize("column", ["is_enabled", "is_paused"])
def test_what_is_computed_cannot_be_written(connection: Connection, column: str) -> None:
    connection.execute(insert(Job).values(job_row()))
    with pytest.raises(ProgrammingError, match="generated column"), connection.begin_nested():
        connection.execute(update(Job).values({column: True}))


@pytest.mark.parametrize(
    ("instant", "stored"),
    [(OPEN_ENDED, "infinity"), (LATER, "2026-11-01 13:00:00+00"), (None, None)],
    ids=["open-ended", "until", "none"],
)
def test_a_pause_without_an_end_is_infinity_there_and_a_constant_here(
    connection: Connection, instant: Any, stored: str | None
) -> None:
    connection.execute(text("SET LOCAL timezone = 'UTC'"))
    connection.execute(insert(Job).values(job_row(paused_until=instant)))
    assert connection.scalar(select(Job.paused_until)) == instant
    assert connection.scalar(text("SELECT paused_until::text FROM scheduled_jobs")) == stored


def test_a_pause_can_be_compared_with_an_instant(connection: Connection) -> None:
    rows = [
        job_row(1, paused_until=OPEN_ENDED),
        job_row(2, paused_until=EARLIER),
        job_row(3, paused_until=None),
    ]
    connection.execute(insert(Job), rows)
    over = select(Job.name).where((Job.paused_until <= NOON) | Job.paused_until.is_(None))
    assert set(connection.scalars(over)) == {"Job 2", "Job 3"}


@pytest.mark.parametrize(
    ("row", "seconds"),
    [
        pytest.param(execution_row(), 30.0, id="ended"),
        pytest.param(running_row(), None, id="running"),
        pytest.param(execution_row(completed_at=NOON + timedelta(days=3)), 259_140.0, id="days"),
    ],
)
def test_the_duration_follows_from_the_times(
    connection: Connection, row: dict[str, Any], seconds: float | None
) -> None:
    connection.execute(insert(Execution).values(row))
    assert connection.scalar(select(Execution.duration_seconds)) == seconds


@pytest.mark.parametrize(
    ("table", "build"), [(Job, job_row), (TaskFunctionRow, function_row)], ids=["job", "function"]
)
def test_only_one_live_row_has_a_name(connection: Connection, table: type[Base], build: Any) -> None:
    connection.execute(insert(table).values(build(2, resource_name="same")))
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(insert(table).values(build(3, resource_name="same")))
    connection.execute(insert(table).values(build(4, resource_name="same", namespace="other")))
    connection.execute(insert(table).values(build(5, resource_name="same", deleted_at=NOON)))
    connection.execute(insert(table).values(build(6, resource_name="same", deleted_at=NOON)))


def test_display_names_need_not_be_unique(connection: Connection) -> None:
    connection.execute(insert(Job), [job_row(1, name="تقرير"), job_row(2, name="تقرير")])
    assert list(connection.scalars(select(Job.name))) == ["تقرير"] * 2


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"b": 1, "a": [1.5, None, {"x": "$(PASSWORD) \u0000"}]}, id="odd-but-kept"),
        pytest.param({"n": 2**60}, id="large-number"),
        pytest.param(None, id="none"),
    ],
)
def test_args_come_back_as_they_were(connection: Connection, value: Any) -> None:
    connection.execute(insert(Job).values(job_row(task_args=value)))
    assert connection.scalar(select(Job.task_args)) == value


def test_no_args_are_null_and_not_the_json_null(connection: Connection) -> None:
    connection.execute(insert(Job).values(job_row(task_args=None)))
    assert connection.scalar(text("SELECT count(*) FROM scheduled_jobs WHERE task_args IS NULL")) == 1


def test_the_order_of_the_keys_of_args_is_kept(connection: Connection) -> None:
    connection.execute(insert(Job).values(job_row(task_args={"zebra": 1, "ant": 2})))
    assert list(connection.scalar(select(Job.task_args)) or ()) == ["zebra", "ant"]


@pytest.mark.parametrize("name", ["x" * 254, "a\0b"], ids=["too-long", "nul"])
def test_text_that_does_not_fit_is_refused_so_it_must_be_trimmed_before(
    connection: Connection, name: str
) -> None:
    with pytest.raises(DataError), connection.begin_nested():
        connection.execute(insert(Job).values(job_row(name=name)))


def test_a_slot_is_written_once_for_its_job(connection: Connection) -> None:
    connection.execute(insert(Slot), [slot_row(1), slot_row(1, job_id=numbered(2)), slot_row(2)])
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(insert(Slot).values(slot_row(1, reason="Held")))
