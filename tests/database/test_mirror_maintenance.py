"""What the active mirror does besides mirroring: old history goes, and totals are counted again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from testkit.mirror_facts import build_schedule_item
from testkit.scheduled_jobs import build_job_item

from sundial_api.mirror.maintenance import Maintenance
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.projection.batches import ObjectKind, parse_object, sort_values
from sundial_api.mirror.storage import apply
from sundial_api.settings import DatabaseSettings

NOW = datetime.now(UTC)
COUNTS = "SELECT status, count FROM scheduler_execution_counts WHERE count > 0"


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
            "INSERT INTO scheduler_execution_counts SELECT id, 'failed', 3 FROM scheduled_jobs",
            id="of another",
        ),
    ],
)
async def test_wrong_totals_are_corrected(
    fresh_engine: AsyncEngine, chores_settings: DatabaseSettings, spoil: str
) -> None:
    async with fresh_engine.connect() as connection:
        await mirror_one(connection)
        await change(connection, spoil)
        registry = CollectorRegistry()
        chores = Maintenance(connection, chores_settings, MirrorMetrics(registry))
        assert [await chores.run(NOW) for _ in range(3)] == [False] * 3
        assert await change(connection, COUNTS) == [("pending", 1)]
    assert registry.get_sample_value("sundial_mirror_corrected_totals_total") == 1


async def test_old_history_goes(fresh_engine: AsyncEngine, fresh_database: str) -> None:
    settings = DatabaseSettings(database_url=fresh_database, history_days=1)
    async with fresh_engine.connect() as connection:
        await mirror_one(connection)
        ended = "UPDATE scheduled_job_executions SET status = 'success', started_at = :at, completed_at = :at"
        await change(connection, ended, at=NOW - timedelta(days=2))
        chores = Maintenance(connection, settings, MirrorMetrics(CollectorRegistry()))
        assert [await chores.run(NOW) for _ in range(2)] == [True, False]
        assert await change(connection, "SELECT id FROM scheduled_job_executions") == []
