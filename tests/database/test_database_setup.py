"""What is said where the database is not there, or lacks what this release needs? What to run, and why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from kubernetes.aio import client
from prometheus_client import CollectorRegistry
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import build_services, open_client, serve_reads
from testkit.rows import numbered

from sundial_api.db import migrations
from sundial_api.db.columns import VERSION_TABLE
from sundial_api.db.engine import build_engine, build_migration_engine
from sundial_api.db.migrations import newest_revision
from sundial_api.mirror.feed import WatchScope
from sundial_api.mirror.mirror import Mirror
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.polling import until_async
from sundial_kube.client import KubeClient

PLACE = f"/jobs/{numbered(1)}"
READS = (
    *("/jobs", PLACE, "/executions", f"{PLACE}/executions", f"{PLACE}/slots", f"{PLACE}/statistics"),
    *("/status", "/task-functions", "/forecast", "/events", "/namespaces"),
)


async def read_ready(application: FastAPI) -> tuple[int, str]:
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as api:
        answer = await api.get("/readyz")
    return answer.status_code, answer.json()["database"]


async def check_outdated(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(path)
    assert answer.status_code == 503, (path, answer.text)
    assert answer.json()["detail"].endswith("whoever operates it has to run sundial-database upgrade")
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_database_without_tables_says_what_to_run(empty_database: str) -> None:
    with structlog.testing.capture_logs() as logs:
        async with build_services(empty_database) as application, open_client(application) as api:
            for path in READS:
                await check_outdated(api, path)
            answer = await api.get(PLACE, headers={"Accept-Language": "ar"})
            assert "\u2066sundial-database upgrade\u2069" in answer.json()["detail"]
            status, told = await read_ready(application)
    assert status == 503
    assert told == f"at no migration, this release needs {newest_revision()}: run `sundial-database upgrade`"
    assert not [line for line in logs if "exc_info" in line or line["log_level"] == "error"]
    reasons = {line["reason"] for line in logs if line["event"] == "the database is at another migration"}
    assert 'relation "scheduled_jobs" does not exist; run `sundial-database upgrade`' in reasons


async def test_a_database_of_an_older_release_says_what_to_run(fresh_database: str) -> None:
    engine = build_migration_engine(DatabaseSettings(database_url=fresh_database))
    migrations.downgrade(engine, "0014", 60)
    async with build_services(fresh_database) as application:
        status, told = await read_ready(application)
    assert (status, told.startswith(f"at 0014, this release needs {newest_revision()}: run ")) == (503, True)


async def test_a_database_of_a_newer_release_is_ready(fresh_database: str, fresh_engine: AsyncEngine) -> None:
    async with fresh_engine.begin() as connection:
        await connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    async with build_services(fresh_database) as application:
        assert await read_ready(application) == (200, "ok")


async def test_a_column_that_is_missing_is_no_defect_of_the_api(
    fresh_database: str, fresh_engine: AsyncEngine
) -> None:
    async with fresh_engine.begin() as connection:
        await connection.execute(text("ALTER TABLE scheduled_jobs RENAME COLUMN retry_count TO tries"))
    async with serve_reads(fresh_database) as api:
        await check_outdated(api, "/jobs")


BEGINS_ANEW = "the mirror begins anew"


@asynccontextmanager
async def mirror_logs(database: str) -> AsyncIterator[list[Any]]:
    """Give what a mirror without a cluster logs."""
    settings = DatabaseSettings(database_url=database)
    engine = build_engine(settings)
    with structlog.testing.capture_logs() as logs:
        async with KubeClient(client.Configuration(host="http://127.0.0.1:1"), request_seconds=2) as kube:
            mirror = Mirror(engine, kube, WatchScope((), "system", "sundial"), settings, CollectorRegistry())
            mirror.start()
            yield logs
            await mirror.stop()
    await engine.dispose()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"database": "nodb"}, 'database "nodb" does not exist'),
        ({"username": "nobody", "password": "secret"}, 'role "nobody" does not exist'),
        ({"port": 1}, "No such file or directory"),
        ({"port": 1, "query": {"host": "127.0.0.1"}}, "Connection refused"),
    ],
)
async def test_the_mirror_says_why_it_cannot_connect(
    fresh_database: str, change: dict[str, Any], reason: str
) -> None:
    url = make_url(fresh_database).set(**change).render_as_string(hide_password=False)
    async with mirror_logs(url) as logs:
        await until_async(lambda: asyncio.sleep(0, any(line["event"] == BEGINS_ANEW for line in logs)))
    line = next(line for line in logs if line["event"] == BEGINS_ANEW)
    assert line.get("reason") == reason
    assert not [word for word in ("secret", "127.0.0.1", "postgresql") if word in str(line)]


async def test_the_mirror_says_that_tables_are_missing(empty_database: str) -> None:
    async with mirror_logs(empty_database) as logs:
        await until_async(lambda: asyncio.sleep(0, any("reason" in line for line in logs)))
    line = next(line for line in logs if "reason" in line)
    assert line["reason"].endswith("does not exist; run `sundial-database upgrade`")
    assert not line["exc_info"]
