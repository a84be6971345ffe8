"""What the active mirror does besides mirroring: old history goes, and totals are counted again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from testkit.mirror_facts import build_schedule_item
from testkit.scheduled_jobs import build_job_item

from sundial_api.mirror import maintenance
from sundial_api.mirror.maintenance import Maintenance
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.projection.batches import ObjectKind, parse_object, sort_values
from sundial_api.mirror.storage import apply
from sundial_api.mirror.storage.transactions import MirrorTransactions
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.polling import until_async

NOW = datetime.now(UTC)
NAMESPACES = "SELECT DISTINCT namespace FROM scheduler_execution_counts"
COUNTS = "SELECT status, count FROM scheduler_execution_counts WHERE count > 0"
IDS = "SELECT resource_name FROM scheduler_task_function_ids ORDER BY resource_name"


@pytest.fixture
def chores_settings(fresh_database: str) -> DatabaseSettings:
    """Keep history for a century: what tests write down happened long ago."""
    return DatabaseSettings(database_url=fresh_database, history_days=36_500)


async def mirror_one(connection: AsyncConnection) -> None:
    values = [
        parse_object(ObjectKind.SCHEDULED_JOB, build_schedule_item(10), 1),
        parse_object(ObjectKind.JOB, build_job_item(10), 1),
    ]
    async with connection.begin():
        await apply.apply_batch(connection, sort_values(values), NOW)


async def change(connection: AsyncConnection, statement: str, **values: Any) -> list[Any]:
    async with connection.begin():
        result = await connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else []


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param("UPDATE scheduler_execution_counts SET count = 7", id="too many"),
        pytest.param("DELETE FROM scheduler_execution_counts", id="none"),
        pytest.param(
            "INSERT INTO scheduler_execution_counts SELECT id, 'failed', 3, namespace FROM scheduled_jobs",
            id="of another",
        ),
        pytest.param("UPDATE scheduler_execution_counts SET namespace = ''", id="of no namespace"),
        pytest.param("UPDATE scheduler_execution_counts SET namespace = 'x'", id="of another namespace"),
    ],
)
async def test_wrong_totals_are_corrected(
    fresh_engine: AsyncEngine, chores_settings: DatabaseSettings, spoil: str
) -> None:
    async with fresh_engine.connect() as connection:
        await mirror_one(connection)
        await change(connection, spoil)
        registry = CollectorRegistry()
        chores = Maintenance(MirrorTransactions(connection), chores_settings, MirrorMetrics(registry))
        assert [await chores.run(NOW) for _ in range(3)] == [False] * 3
        assert await change(connection, COUNTS) == [("pending", 1)]
        assert await change(connection, NAMESPACES) == [("team",)]
    assert registry.get_sample_value("sundial_mirror_corrected_totals_total") == 1


async def test_old_history_goes(fresh_engine: AsyncEngine, fresh_database: str) -> None:
    settings = DatabaseSettings(database_url=fresh_database, history_days=1)
    async with fresh_engine.connect() as connection:
        await mirror_one(connection)
        ended = "UPDATE scheduled_job_executions SET status = 'success', started_at = :at, completed_at = :at"
        await change(connection, ended, at=NOW - timedelta(days=2))
        chores = Maintenance(MirrorTransactions(connection), settings, MirrorMetrics(CollectorRegistry()))
        assert [await chores.run(NOW) for _ in range(2)] == [True, False]
        assert await change(connection, "SELECT id FROM scheduled_job_executions") == []


async def mention(connection: AsyncConnection, version: int, name: str) -> None:
    """Mirror a job that mentions a function which is not there."""
    item = build_schedule_item(version)
    item["spec"]["taskFunctionRef"] = {"name": name}
    async with connection.begin():
        values = sort_values([parse_object(ObjectKind.SCHEDULED_JOB, item, 1)])
        await apply.apply_batch(connection, values, NOW)


async def test_names_that_no_job_mentions_any_more_go(
    fresh_engine: AsyncEngine, chores_settings: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "IDS_AT_ONCE", 4)
    async with fresh_engine.connect() as connection:
        for number in range(10):
            await mention(connection, 10 + number, f"junk-{number}")
        ids = dict(await change(connection, "SELECT resource_name, id FROM scheduler_task_function_ids"))
        metrics = MirrorMetrics(CollectorRegistry())
        chores = Maintenance(MirrorTransactions(connection), chores_settings, metrics)
        while await chores.run(NOW):
            pass
        assert await change(connection, IDS) == [("inline",), ("junk-9",)]
        await mention(connection, 30, "junk-3")
        named = "SELECT id FROM scheduler_task_function_ids WHERE resource_name = 'junk-3'"
        assert await change(connection, named) == [(ids["junk-3"],)]


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param("UPDATE scheduled_jobs SET deleted_at = now()", id="by a deleted job"),
        pytest.param(
            "UPDATE scheduled_jobs SET task_function_id = 1;"
            " INSERT INTO task_functions (id, namespace, resource_name, name, display_name, handler_path,"
            " handler_type, created_at, updated_at, deleted_at)"
            " SELECT id, namespace, resource_name, 'f', 'f', '', 'container', now(), now(), now()"
            " FROM scheduler_task_function_ids WHERE id > 1",
            id="by a deleted function",
        ),
    ],
)
async def test_an_id_that_a_row_shows_stays(
    fresh_engine: AsyncEngine, chores_settings: DatabaseSettings, shown: str
) -> None:
    async with fresh_engine.connect() as connection:
        await mention(connection, 10, "gone")
        for statement in shown.split(";"):
            await change(connection, statement)
        metrics = MirrorMetrics(CollectorRegistry())
        chores = Maintenance(MirrorTransactions(connection), chores_settings, metrics)
        assert [await chores.run(NOW) for _ in range(2)] == [False, False]
        assert await change(connection, IDS) == [("gone",), ("inline",)]


async def test_an_id_that_is_taken_just_now_stays(
    fresh_engine: AsyncEngine, chores_settings: DatabaseSettings
) -> None:
    async with fresh_engine.connect() as connection, fresh_engine.connect() as other:
        await mention(connection, 10, "wanted")
        await mention(connection, 11, "another")
        item = build_schedule_item(12)
        item["spec"]["taskFunctionRef"] = {"name": "wanted"}
        metrics = MirrorMetrics(CollectorRegistry())
        chores = Maintenance(MirrorTransactions(connection), chores_settings, metrics)
        async with other.begin():
            values = sort_values([parse_object(ObjectKind.SCHEDULED_JOB, item, 1)])
            await apply.apply_batch(other, values, NOW)
            running = asyncio.create_task(chores.run(NOW))
            await until_async(lambda: is_waiting(fresh_engine))
        await running
        assert ("wanted",) in await change(connection, IDS)


async def is_waiting(engine: AsyncEngine) -> bool:
    """Tell whether somebody waits for the turn."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    waiting += " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    async with engine.connect() as connection:
        return await connection.scalar(text(waiting)) == 1
