"""Which jobs is a forecast about, by their rows? And does anybody have to wait for it?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import build_services, open_client, serve_reads
from testkit.query_plans import note_statements
from testkit.rows import NOON, job_row, numbered

from sundial_api.db.columns import OPEN_ENDED
from sundial_api.db.tables import ScheduledJobRow
from sundial_api.forecast import forecaster, job_slots, repository
from sundial_devcluster.polling import until_async

HOURLY = {"schedule": {"cron": "0 * * * *"}}
JOBS: list[dict[str, Any]] = [
    job_row(1, etag="1", is_ready=True) | HOURLY,
    job_row(2, etag="2", suspended=True) | HOURLY,
    job_row(3, etag="3", paused_until=OPEN_ENDED) | HOURLY,
    job_row(4, etag="4", paused_until=NOON + timedelta(hours=5)) | HOURLY,
    job_row(5, etag="5", paused_until=NOON + timedelta(hours=30)) | HOURLY,
    job_row(6, etag="6", paused_until=NOON - timedelta(hours=1)) | HOURLY,
    job_row(7, etag="7", deleted_at=NOON, resource_name="gone") | HOURLY,
    job_row(8, etag="8", is_ready=False, ready_reason="TaskFunctionNotFound") | HOURLY,
    job_row(9, etag="9", namespace="team") | HOURLY,
    job_row(10, etag="10", schedule_config={"hour": "15"}),
]


@pytest.fixture
async def stored(fresh_engine: AsyncEngine, fresh_database: str) -> str:
    async with fresh_engine.begin() as connection:
        for job in JOBS:
            await connection.execute(insert(ScheduledJobRow).values(job))
    return fresh_database


@pytest.fixture
async def api(stored: str) -> AsyncIterator[httpx.AsyncClient]:
    async with serve_reads(stored, read_clock=lambda: NOON) as client:
        yield client


async def holds_nothing(engine: AsyncEngine) -> bool:
    return engine.pool.checkedout() == 0


async def read(api: httpx.AsyncClient, query: str = "", status: int = 200) -> Any:
    answer = await api.get(f"/forecast{query}")
    assert answer.status_code == status, answer.text
    return answer.json()


def count_by_job(forecast: Any) -> dict[str, int]:
    return {job["jobId"]: job["count"] for job in forecast["jobs"]}


async def test_only_what_would_start_is_foreseen(api: httpx.AsyncClient) -> None:
    expected = {1: 24, 4: 19, 6: 24, 9: 24, 10: 1}
    forecast = await read(api)
    assert count_by_job(forecast) == {str(numbered(number)): count for number, count in expected.items()}
    assert (forecast["isComplete"], sum(forecast["counts"])) == (True, sum(expected.values()))
    assert (forecast["since"], forecast["until"]) == ("2026-11-01T12:00:00Z", "2026-11-02T12:00:00Z")


async def test_hours_and_namespace_are_asked_for(api: httpx.AsyncClient) -> None:
    assert count_by_job(await read(api, "?namespace=team&hours=2")) == {str(numbered(9)): 2}
    assert count_by_job(await read(api, "?hours=48"))[str(numbered(5))] == 18


@pytest.mark.parametrize("hours", ["0", "49", "x"])
async def test_other_hours_are_422(api: httpx.AsyncClient, hours: str) -> None:
    refused = await read(api, f"?hours={hours}", 422)
    assert refused["detail"][0]["loc"] == ["query", "hours"]


async def test_an_answer_has_the_fields_of_the_document(api: httpx.AsyncClient) -> None:
    job = next(job for job in (await read(api))["jobs"] if job["jobId"] == str(numbered(10)))
    quarters = [{"quarter": 12, "count": 1}]
    named = {"name": "Job 10", "namespace": "default", "firstSlot": "2026-11-01T15:00:00Z"}
    assert job == {"jobId": str(numbered(10)), "count": 1, "quarters": quarters} | named


async def test_it_is_one_query_and_bounded(stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "MAX_JOBS", 2)
    monkeypatch.setattr(forecaster, "MAX_JOBS", 2)
    how = {"read_clock": lambda: NOON}
    async with build_services(stored, **how) as application, open_client(application) as api:
        with note_statements(application.state.services.engine.sync_engine) as statements:
            forecast = await read(api)
    asked = [one for one, _ in statements if "FROM scheduled_jobs" in one and "max(" not in one]
    assert (len(asked), "LIMIT" in asked[0]) == (1, True)
    assert (forecast["isComplete"], len(forecast["jobs"])) == (False, 2)


async def test_the_event_loop_goes_on_while_slots_are_looked_for(
    stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def find_slowly(job: repository.StoredSchedule, since: datetime) -> job_slots.JobSlots:
        has_begun.set()
        assert may_end.wait(30), "nobody else was answered meanwhile"
        return job_slots.find_slots(job, since)

    monkeypatch.setattr(forecaster, "find_slots", find_slowly)
    async with build_services(stored) as application, open_client(application) as api:
        forecast = asyncio.create_task(read(api))
        await asyncio.to_thread(has_begun.wait, 30)
        assert (await api.get("/jobs")).status_code == 200
        await until_async(partial(holds_nothing, application.state.services.engine))
        may_end.set()
        assert (await forecast)["unknownJobs"] == []


async def test_the_clock_of_the_request_counts(stored: str) -> None:
    now = datetime(2026, 11, 1, 14, 59, 59, tzinfo=UTC)
    async with serve_reads(stored, read_clock=lambda: now) as api:
        forecast = await read(api, "?hours=1")
    assert forecast["firstQuarter"] == "2026-11-01T14:45:00Z"
    assert (len(forecast["counts"]), forecast["counts"][1]) == (5, 4)
