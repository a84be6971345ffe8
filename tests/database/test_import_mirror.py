"""What was imported stays beside a mirror: lists of the cluster, and objects of it that claim its ids."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from testkit.api_apps import serve_reads
from testkit.mirror_facts import (
    ASKED_ID,
    RUN_ID,
    build_pod_item,
    build_run_item,
    build_schedule_item,
    build_termination,
)
from testkit.mirror_sessions import Session
from testkit.scheduled_jobs import UID, at, build_job_item

from sundial_api.importing.history.executions import ImportedExecution
from sundial_api.importing.history.repository import write_executions
from sundial_api.mirror.maintenance import Maintenance
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.projection.batches import ObjectKind, parse_object, sort_values
from sundial_api.mirror.storage import apply
from sundial_api.settings import DatabaseSettings
from sundial_clock.instants import format_instant
from sundial_core.resources.raw import JsonObject

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DELETED_JOB = "22222222-2222-4222-8222-222222222222"
SLOT = format_instant(at(10))


def build_imported(number: str, job_id: str = UID, **changes: Any) -> ImportedExecution:
    """Build an execution of the original of noon, which failed."""
    values = {
        "id": number,
        "job_id": job_id,
        "namespace": "team",
        "celery_task_id": "a-task",
        "status": "failed",
        "phase": "Failed",
        "started_at": "2026-01-01T12:00:00Z",
        "completed_at": "2026-01-01T12:00:30Z",
        "result": None,
        "error_message": "ValueError: old",
        "error_traceback": "Traceback: old",
        "triggered_by": "scheduler",
        "triggered_by_user_id": None,
        "scheduler_instance_id": None,
        "sources": {"imported": {"jobId": number}},
    }
    return ImportedExecution(**values | changes)


IMPORTED = [
    build_imported(RUN_ID),
    build_imported(ASKED_ID),
    build_imported("11111111-0000-4000-8000-000000000001", DELETED_JOB),
]


async def read_all(connection: AsyncConnection) -> list[dict[str, Any]]:
    rows = await connection.execute(text("SELECT * FROM scheduled_job_executions ORDER BY id"))
    return [dict(row) for row in rows.mappings()]


async def read_counts(connection: AsyncConnection) -> list[Any]:
    query = "SELECT job_id::text, status, count FROM scheduler_execution_counts WHERE count > 0 ORDER BY 1, 2"
    return [tuple(row) for row in await connection.execute(text(query))]


def list_claims() -> list[tuple[ObjectKind, JsonObject]]:
    """Build objects of the job itself that say they are of the imported runs, and tell otherwise of them."""
    job = build_job_item(10, "Complete")
    told = {"slot": SLOT, "verdict": "Started", "runId": RUN_ID, "startedAt": SLOT}
    told |= {"result": "Succeeded", "completedAt": format_instant(at(15))}
    ended = build_termination(0, {"result": {"rows": 7}})
    said = {"verdict": "Started", "startedAt": SLOT, "result": "Succeeded", "completedAt": SLOT}
    return [
        (ObjectKind.SCHEDULED_JOB, build_schedule_item(version=10)),
        (ObjectKind.JOB, job),
        (ObjectKind.POD, build_pod_item(job, version=50, terminated=ended)),
        (ObjectKind.SCHEDULED_JOB_RUN, build_run_item(said)),
        (ObjectKind.SCHEDULED_JOB, build_schedule_item(version=60, status={"recentSlots": [told]})),
    ]


async def test_no_object_of_the_cluster_writes_into_an_imported_row(
    async_connection: AsyncConnection,
) -> None:
    await write_executions(async_connection, IMPORTED)
    before = await read_all(async_connection)
    for kind, item in list_claims():
        await apply.apply_batch(async_connection, sort_values([parse_object(kind, item, 1)]), NOW)
    assert await read_all(async_connection) == before
    kinds = await async_connection.scalars(text("SELECT DISTINCT kind FROM scheduler_quarantine"))
    assert {"Job", "ScheduledJobRun"} <= set(kinds)


@pytest.fixture
async def session(fresh_engine: AsyncEngine) -> Any:
    """Give a session of a mirror, beside which history was imported."""
    async with fresh_engine.connect() as connection:
        async with connection.begin():
            await write_executions(connection, IMPORTED)
        yield Session(connection)


async def test_a_list_leaves_imported_rows_alone(session: Session) -> None:
    connection = session.transactions.connection
    async with connection.begin():
        before, counts = await read_all(connection), await read_counts(connection)
    await session.transactions.enter()
    for version in (1_000, 2_000):
        for kind in ObjectKind:
            items = [build_schedule_item(version=10)] if kind is ObjectKind.SCHEDULED_JOB else []
            session.list(kind, items, version)
        await session.rows.write(session.feed)
    async with connection.begin():
        assert await read_all(connection) == before
        assert await read_counts(connection) == counts


async def test_a_list_without_the_job_leaves_its_history(session: Session) -> None:
    connection = session.transactions.connection
    await session.transactions.enter()
    for version, items in ((1_000, [build_schedule_item(version=10)]), (2_000, [])):
        session.list(ObjectKind.SCHEDULED_JOB, items, version)
        await session.rows.write(session.feed)
    async with connection.begin():
        assert await connection.scalar(text("SELECT deleted_at IS NOT NULL FROM scheduled_jobs"))
        assert len(await read_all(connection)) == len(IMPORTED)


async def test_retention_deletes_imported_rows_as_any_others(session: Session, fresh_database: str) -> None:
    await session.transactions.enter()
    settings = DatabaseSettings(database_url=fresh_database, history_days=30)
    upkeep = Maintenance(session.transactions, settings, MirrorMetrics(CollectorRegistry()))
    left = []
    for now in (datetime(2026, 1, 30, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)):
        await upkeep.run(now)
        async with session.transactions.connection.begin():
            left.append(len(await read_all(session.transactions.connection)))
            counts = await read_counts(session.transactions.connection)
    assert (left, counts) == ([3, 0], [])


async def test_the_api_shows_imported_rows(fresh_engine: AsyncEngine, fresh_database: str) -> None:
    async with fresh_engine.begin() as connection:
        await write_executions(connection, IMPORTED)
    async with serve_reads(fresh_database) as api:
        listed = (await api.get("/executions")).json()
        of_job = (await api.get(f"/executions?job_id={DELETED_JOB}&status=failed")).json()
        one = (await api.get(f"/executions/{RUN_ID}")).json()
        log = await api.get(f"/executions/{RUN_ID}/log")
    assert (listed["total"], len(listed["executions"]), of_job["total"]) == (3, 3, 1)
    shown = {
        name: one[name] for name in ("status", "celeryTaskId", "durationSeconds", "triggeredBy", "attempt")
    }
    assert shown == {
        "status": "failed",
        "celeryTaskId": "a-task",
        "durationSeconds": 30.0,
        "triggeredBy": "scheduler",
        "attempt": 0,
    }
    told = (one["errorMessage"], one["errorTraceback"], one["attempts"])
    assert (told, log.status_code) == (("ValueError: old", "Traceback: old", []), 404)
