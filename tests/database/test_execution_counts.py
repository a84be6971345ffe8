"""Totals of executions are kept by the database itself, whatever writes the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from threading import Thread
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, create_engine, delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.pool import NullPool
from testkit.rows import execution_row, numbered, running_row

from sundial_api.db.engine import parse_url
from sundial_api.db.mirror_tables import ExecutionCount
from sundial_api.db.tables import ScheduledJobExecution
from sundial_devcluster.polling import until

Execution = ScheduledJobExecution
BLOCKED = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def read_counts(connection: Connection) -> dict[tuple[str, str], int]:
    rows = connection.execute(select(ExecutionCount.job_id, ExecutionCount.status, ExecutionCount.count))
    return {(str(job_id), status): count for job_id, status, count in rows if count}


def read_namespaces(connection: Connection) -> dict[str, int]:
    rows = connection.execute(select(ExecutionCount.namespace, ExecutionCount.count))
    totals: Counter[str] = Counter()
    for namespace, count in rows:
        totals[namespace] += count
    return dict(totals)


def of_job(number: int, **counts: int) -> dict[tuple[str, str], int]:
    return {(str(numbered(number)), status): count for status, count in counts.items()}


@pytest.fixture
def three(connection: Connection) -> Connection:
    """Give a connection with two successes and a running execution of job 1."""
    connection.execute(insert(Execution), [execution_row(1), execution_row(2)])
    connection.execute(insert(Execution), [running_row(3)])
    return connection


def test_inserted_rows_are_counted(three: Connection) -> None:
    assert read_counts(three) == of_job(1, success=2, running=1)


def test_a_change_of_status_moves_one(three: Connection) -> None:
    three.execute(update(Execution).where(Execution.status == "running").values(status="failed"))
    assert read_counts(three) == of_job(1, success=2, failed=1)


def test_another_change_moves_none(three: Connection) -> None:
    three.execute(update(Execution).values(node="node-1"))
    assert read_counts(three) == of_job(1, success=2, running=1)


def test_a_change_of_job_moves_one(three: Connection) -> None:
    three.execute(update(Execution).where(Execution.status == "running").values(job_id=numbered(2)))
    assert read_counts(three) == of_job(1, success=2) | of_job(2, running=1)


def test_namespaces_are_counted_apart(three: Connection) -> None:
    three.execute(insert(Execution).values(execution_row(4, job_id=numbered(2), namespace="reports")))
    three.execute(insert(Execution).values(execution_row(5, namespace="reports")))
    three.execute(delete(Execution).where(Execution.id == execution_row(1)["id"]))
    assert read_namespaces(three) == {"default": 2, "reports": 2}


def test_a_change_of_namespace_moves_one(three: Connection) -> None:
    three.execute(update(Execution).where(Execution.status == "running").values(namespace="reports"))
    assert read_namespaces(three) == {"default": 2, "reports": 1}


def test_deleted_rows_are_counted_off(three: Connection) -> None:
    three.execute(delete(Execution).where(Execution.status == "success"))
    assert read_counts(three) == of_job(1, running=1)


def test_an_upsert_counts_what_it_did(three: Connection) -> None:
    statement = upsert(Execution).values([execution_row(3), execution_row(4)])
    newer = statement.on_conflict_do_update(index_elements=["id"], set_={"status": statement.excluded.status})
    three.execute(newer)
    assert read_counts(three) == of_job(1, success=4)


def test_an_upsert_that_is_refused_counts_nothing(three: Connection) -> None:
    statement = upsert(Execution).values(execution_row(3))
    older = statement.on_conflict_do_update(
        index_elements=["id"],
        set_={"status": statement.excluded.status},
        where=Execution.job_resource_version < statement.excluded.job_resource_version,
    )
    three.execute(older)
    assert read_counts(three) == of_job(1, success=2, running=1)


def test_truncating_leaves_no_totals(three: Connection) -> None:
    three.execute(text("TRUNCATE scheduled_job_executions"))
    assert read_counts(three) == {}


@pytest.fixture
def engine(fresh_database: str) -> Iterator[Engine]:
    """Give an engine on a database of its own."""
    engine = create_engine(parse_url(fresh_database), poolclass=NullPool)
    yield engine
    engine.dispose()


def write(connection: Connection, first: int, jobs: list[UUID]) -> None:
    """Write an execution of each job in one statement."""
    rows = [execution_row(first + number, job_id=job) for number, job in enumerate(jobs)]
    connection.execute(insert(Execution).values(rows))


def write_all(engine: Engine, jobs: list[UUID]) -> None:
    with engine.begin() as connection:
        write(connection, 1000, jobs)


def test_a_statement_that_waits_for_the_first_job_holds_none_of_the_others(engine: Engine) -> None:
    first, *others = jobs = sorted(numbered(number) for number in range(40))
    other_writer = Thread(target=write_all, args=(engine, [*others, first]))
    with engine.begin() as connection, engine.connect() as watcher:
        watcher.execution_options(isolation_level="AUTOCOMMIT")
        write(connection, 1, [first])
        other_writer.start()
        until(lambda: watcher.scalar(BLOCKED) == 1)
        write(connection, 2, others)
    other_writer.join()
    with engine.connect() as connection:
        assert read_counts(connection) == {(str(job), "success"): 2 for job in jobs}
