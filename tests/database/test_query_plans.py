"""Each list query of the API has its index, shown on 200,000 executions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Select, create_engine, func, select, text, tuple_
from sqlalchemy.pool import NullPool
from testkit.bulk_rows import execution_id, generate, job_id
from testkit.databases import copy_database
from testkit.query_plans import Plan, read_plan
from testkit.rows import NOON

from sundial_api.actions.repository import select_runs
from sundial_api.changes.repository import select_changes
from sundial_api.db.engine import parse_url
from sundial_api.db.mirror_tables import ExecutionCount, ScheduledJobChange
from sundial_api.db.tables import (
    ScheduledJobExecution,
    ScheduledJobRow,
    ScheduledJobSlot,
)
from sundial_api.executions.repository import (
    NEWEST,
    OLDEST,
    ExecutionFilter,
    Order,
    select_page,
    select_recent,
)
from sundial_api.statistics.repository import select_by_day
from sundial_devcluster.postgres import Postgres

Job, Execution, Count = ScheduledJobRow, ScheduledJobExecution, ExecutionCount
Change = ScheduledJobChange
EXECUTIONS, JOBS = 200_000, 1_000
PREFIX = "ix_scheduled_job_executions_"
DEEP = NOON - timedelta(seconds=150_000)


@pytest.fixture(scope="module")
def full(postgres: Postgres, template: str) -> Iterator[Connection]:
    """Give a connection to a database with many executions, to read from."""
    with copy_database(postgres, template) as url:
        engine = create_engine(parse_url(url), poolclass=NullPool)
        with engine.connect() as connection:
            generate(connection, JOBS, EXECUTIONS, NOON, 100)
            generate_changes(connection, 50_000)
            yield connection


def generate_changes(connection: Connection, number: int) -> None:
    """Fill the log of changes of all jobs, so many entries in all."""
    connection.execute(
        text(
            "INSERT INTO scheduled_job_changes (id, job_id, namespace, kind, seen_at)"
            " SELECT gen_random_uuid(), jobs.id, jobs.namespace, 'changed', now() - n * interval '1 s'"
            " FROM scheduled_jobs jobs, generate_series(1, :each) AS n"
        ),
        {"each": number // JOBS},
    )
    connection.execute(text("ANALYZE scheduled_job_changes"))


def page(*where: object) -> Select[object]:
    return select(Execution).where(*where).order_by(*NEWEST).limit(50)  # type: ignore[arg-type]


of_job = Execution.job_id == job_id(1)
failed = Execution.status == "failed"
before = tuple_(Execution.started_at, Execution.id) < (DEEP, execution_id(150_000))
latest = page(Execution.job_id == Job.id).limit(5).subquery().lateral()
live = Job.deleted_at.is_(None)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        pytest.param(page(), f"{PREFIX}started_at", id="all"),
        pytest.param(page().offset(10_000), f"{PREFIX}started_at", id="all-far-down"),
        pytest.param(page(before), f"{PREFIX}started_at", id="all-after-a-cursor"),
        pytest.param(page(failed), f"{PREFIX}status", id="of-a-status"),
        pytest.param(page(failed, before), f"{PREFIX}status", id="of-a-status-after-a-cursor"),
        pytest.param(page(of_job), f"{PREFIX}job_id", id="of-a-job"),
        pytest.param(page(of_job, before), f"{PREFIX}job_id", id="of-a-job-after-a-cursor"),
        pytest.param(page(of_job, failed), f"{PREFIX}job_id_status", id="of-a-job-and-status"),
        pytest.param(
            select(Execution).where(Execution.id == execution_id(7)), "pk_scheduled_job_executions", id="one"
        ),
        pytest.param(
            select(Execution.id).order_by(Execution.started_at, Execution.id).limit(1000),
            f"{PREFIX}started_at",
            id="oldest-for-retention",
        ),
        pytest.param(
            select(Job.id, latest).where(Job.name.ilike("%report 77%")),
            f"{PREFIX}job_id",
            id="latest-of-jobs",
        ),
        pytest.param(select_changes(job_id(1)).limit(20), "ix_scheduled_job_changes_job_id", id="changes"),
        pytest.param(
            select(Change.id).order_by(Change.seen_at).limit(1000),
            "ix_scheduled_job_changes_seen_at",
            id="oldest-changes-for-retention",
        ),
        pytest.param(
            select(Count.count).where(Count.job_id == job_id(1)),
            "pk_scheduler_execution_counts",
            id="totals-of-a-job",
        ),
        pytest.param(
            select(Job).where(live).order_by(Job.created_at.desc(), Job.id.desc()).limit(20),
            "ix_scheduled_jobs_live_newest",
            id="jobs",
        ),
        pytest.param(
            select(Job).where(live, Job.next_run_time > NOON).order_by(Job.next_run_time).limit(1),
            "ix_scheduled_jobs_next_run_time",
            id="next-job",
        ),
        pytest.param(
            select(Job).where(live, Job.namespace == "team-7", Job.resource_name == "job-7"),
            "uq_scheduled_jobs_live",
            id="job-by-name",
        ),
    ],
)
def test_a_query_has_its_index(full: Connection, statement: Select[object], index: str) -> None:
    plan = read_plan(full, statement)
    assert index in plan.indexes
    assert not {"Sort", "Incremental Sort"} & plan.steps


@pytest.mark.parametrize("order", [NEWEST, OLDEST], ids=["newest first", "oldest first"])
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        pytest.param(ExecutionFilter(), f"{PREFIX}started_at", id="all"),
        pytest.param(ExecutionFilter(status="failed"), f"{PREFIX}status", id="of a status"),
        pytest.param(ExecutionFilter(job_id(1)), f"{PREFIX}job_id", id="of a job"),
        pytest.param(ExecutionFilter(job_id(1), "success"), f"{PREFIX}job_id_status", id="of both"),
        pytest.param(ExecutionFilter(namespaces=("team-1",)), f"{PREFIX}namespace", id="of a namespace"),
        pytest.param(
            ExecutionFilter(namespaces=("team-1",), status="success"),
            f"{PREFIX}namespace_status",
            id="and status",
        ),
    ],
)
def test_page_far_down_reads_rows_of_that_page_only(
    full: Connection, order: Order, wanted: ExecutionFilter, index: str
) -> None:
    plan = read_plan(full, select_page(wanted, order, 1_000, 50))
    assert plan.indexes == {index, "pk_scheduled_job_executions"}
    assert "Index Only Scan" in plan.steps
    assert not {"Sort", "Incremental Sort", "Seq Scan"} & plan.steps


def test_slots_are_looked_up_whoever_asked_for_their_runs(full: Connection) -> None:
    plan = read_plan(full, select_runs(job_id(1), [NOON, DEEP]))
    assert plan.indexes == {"pk_scheduled_job_executions", f"{PREFIX}asked_slot"}


def test_newest_results_of_a_page_are_read_job_by_job(full: Connection) -> None:
    plan = read_plan(full, select_recent([job_id(number) for number in range(1, 21)], 30))
    assert plan.indexes == {f"{PREFIX}job_id"}
    assert not {"Sort", "Incremental Sort", "Seq Scan"} & plan.steps


def test_statistics_read_the_newest_runs_of_a_job_only(full: Connection) -> None:
    plan = read_plan(full, select_by_day(job_id(1), [NOON - timedelta(days=1), NOON]))
    assert plan.indexes == {f"{PREFIX}job_id"}
    assert "Limit" in plan.steps
    assert "Seq Scan" not in plan.steps


def test_slots_of_a_job_come_in_order_from_their_key(full: Connection) -> None:
    full.execute(text("SET enable_seqscan = off"))  # the table is empty, and an empty table is read whole
    slots = select(ScheduledJobSlot).where(ScheduledJobSlot.job_id == job_id(1))
    plan = read_plan(full, slots.order_by(ScheduledJobSlot.first_slot.desc()).limit(50))
    full.execute(text("RESET enable_seqscan"))
    assert plan == Plan(frozenset({"Limit", "Index Scan"}), frozenset({"pk_scheduler_slots"}))


def test_the_generated_executions_are_as_said(full: Connection) -> None:
    statuses = dict(full.execute(select(Count.status, func.sum(Count.count)).group_by(Count.status)).all())
    assert sum(statuses.values()) == EXECUTIONS
    assert {status: count * 100 // EXECUTIONS for status, count in statuses.items()} == {
        "success": 93,
        "failed": 5,
        "timeout": 1,
        "running": 0,
        "pending": 0,
    }
    assert full.scalar(select(func.count()).select_from(Job)) == JOBS
