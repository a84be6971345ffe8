"""How did the runs of a job do? By day of a zone, with numbers worked out by hand, and bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import build_services, open_client, serve_reads
from testkit.query_plans import note_statements
from testkit.rows import execution_row, job_row, numbered, running_row

from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobRow
from sundial_api.statistics import repository

NOW = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
PATH = f"/jobs/{numbered(1)}/statistics"
UNKNOWN = {"status": "failed", "phase": "Failed", "reason": "OutcomeUnknown"}


def run_at(text: str, seconds: float, late: float = 0, **changes: Any) -> dict[str, Any]:
    """Build a run that started at an instant, so long, and so late after its slot."""
    started = datetime.fromisoformat(text).replace(tzinfo=UTC)
    row = execution_row(int(started.timestamp()) % 10_000_000)
    times = {
        "started_at": started,
        "completed_at": started + timedelta(seconds=seconds),
        "scheduled_for": started - timedelta(seconds=late),
    }
    return row | times | changes


RUNS = [
    run_at("2026-10-29 20:59:59", 10, 1),
    run_at("2026-10-29 21:30:00", 20, 3),
    run_at("2026-10-30 21:59:59", 40, status="timeout", phase="TimedOut"),
    run_at("2026-10-30 22:00:00", 30, 5, status="failed", phase="Failed"),
    run_at("2026-10-31 12:00:00", 999, 7, **UNKNOWN),
    run_at("2026-11-01 10:00:00", 50, 9_999, triggered_by="manual"),
    run_at("2026-11-01 11:00:00", 60, -0.5),
    run_at("2026-11-01 12:00:00", 0, scheduled_for=None),
]
"""In Cairo the clocks go back at midnight after the 29th, 21:00 UTC: the 29th has 25 hours, until 22:00."""


@pytest.fixture
async def stored(fresh_engine: AsyncEngine, fresh_database: str) -> str:
    async with fresh_engine.begin() as connection:
        jobs = [job_row(1, time_zone="Africa/Cairo"), job_row(2), job_row(3, time_zone="Mars/Olympus")]
        for job in jobs:
            await connection.execute(insert(ScheduledJobRow).values(job))
        for run in [*RUNS, running_row(1, started_at=NOW)]:
            await connection.execute(insert(ScheduledJobExecution).values(run))
    return fresh_database


@pytest.fixture
async def api(stored: str) -> AsyncIterator[httpx.AsyncClient]:
    async with serve_reads(stored, read_clock=lambda: NOW) as client:
        yield client


async def read(api: httpx.AsyncClient, path: str, status: int = 200) -> Any:
    answer = await api.get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_runs_are_counted_by_the_days_of_the_jobs_zone(api: httpx.AsyncClient) -> None:
    answer = await read(api, f"{PATH}?days=4")
    assert [(day["day"], day["runs"]) for day in answer["days"]] == [
        ("2026-10-29", 2),
        ("2026-10-30", 1),
        ("2026-10-31", 2),
        ("2026-11-01", 4),
    ]
    assert (answer["timeZone"], answer["since"]) == ("Africa/Cairo", "2026-10-28T21:00:00Z")
    assert answer["until"] == "2026-11-01T12:30:00Z"


async def test_another_zone_has_other_days(api: httpx.AsyncClient) -> None:
    answer = await read(api, f"{PATH}?days=4&time_zone=UTC")
    assert [day["runs"] for day in answer["days"]] == [2, 2, 1, 4]
    assert answer["since"] == "2026-10-29T00:00:00Z"


async def test_the_total_is_of_all_days(api: httpx.AsyncClient) -> None:
    total = (await read(api, f"{PATH}?days=90"))["total"]
    numbers = ("runs", "succeeded", "failed", "timedOut", "unknown", "open")
    assert [total[name] for name in numbers] == [9, 5, 1, 1, 1, 1]
    assert total["successRate"] == 5 / 7
    assert total["durationSeconds"] == {"p50": 30, "p95": pytest.approx(57)}
    assert total["latenessSeconds"] == {"p50": 2, "p95": pytest.approx(6.5)}


async def test_a_day_without_a_run_is_told_so(api: httpx.AsyncClient) -> None:
    day = (await read(api, f"{PATH}?days=30"))["days"][0]
    assert day["day"] == "2026-10-03"
    assert (day["runs"], day["successRate"]) == (0, None)
    assert day["durationSeconds"] == day["latenessSeconds"] == {"p50": None, "p95": None}


async def test_runs_before_the_window_do_not_count(api: httpx.AsyncClient) -> None:
    assert (await read(api, f"{PATH}?days=1"))["total"]["runs"] == 4


async def test_a_job_that_never_ran_has_days_too(api: httpx.AsyncClient) -> None:
    answer = await read(api, f"/jobs/{numbered(2)}/statistics")
    assert (answer["total"]["runs"], len(answer["days"]), answer["isComplete"]) == (0, 30, True)


async def test_only_the_newest_runs_are_read_and_that_is_said(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await read(api, PATH))["isComplete"] is True
    monkeypatch.setattr(repository, "MAX_RUNS", 5)
    answer = await read(api, PATH)
    assert (answer["total"]["runs"], answer["isComplete"]) == (5, False)
    assert answer["completeSince"] == "2026-10-31T12:00:00Z"


async def test_history_that_is_gone_is_said(api: httpx.AsyncClient, fresh_engine: AsyncEngine) -> None:
    floor = NOW - timedelta(days=2)
    async with fresh_engine.begin() as connection:
        await connection.execute(update(ScheduledJobRow).values(history_floor=floor))
    answer = await read(api, f"{PATH}?days=4")
    assert (answer["isComplete"], answer["completeSince"]) == (False, "2026-10-30T12:30:00Z")
    assert (await read(api, f"{PATH}?days=1"))["isComplete"] is True


async def test_it_is_one_query_of_executions(stored: str) -> None:
    async with build_services(stored) as application, open_client(application) as api:
        with note_statements(application.state.services.engine.sync_engine) as statements:
            await read(api, PATH)
    assert len([one for one, _ in statements if "GROUPING SETS" in one]) == 1
    assert len([one for one, _ in statements if "scheduled_job_executions" in one]) <= 2


@pytest.mark.parametrize(
    ("query", "place", "words"),
    [
        pytest.param("days=0", "days", "greater than or equal to 1", id="no day"),
        pytest.param("days=91", "days", "less than or equal to 90", id="too many days"),
        pytest.param("time_zone=Africa/Kairo", "time_zone", "did you mean Africa/Cairo?", id="no zone"),
        pytest.param("time_zone=%00", "time_zone", "has a NUL", id="NUL"),
    ],
)
async def test_questions_out_of_bounds_are_422(
    api: httpx.AsyncClient, query: str, place: str, words: str
) -> None:
    detail = (await read(api, f"{PATH}?{query}", 422))["detail"][0]
    assert (detail["loc"], words in detail["msg"]) == (["query", place], True)


async def test_a_job_of_an_odd_zone_is_told_in_another(api: httpx.AsyncClient) -> None:
    path = f"/jobs/{numbered(3)}/statistics"
    assert (await read(api, path, 422))["detail"][0]["loc"] == ["query", "time_zone"]
    assert (await read(api, f"{path}?time_zone=UTC"))["total"]["runs"] == 0


async def test_unknown_jobs_are_404(api: httpx.AsyncClient) -> None:
    assert await read(api, f"/jobs/{numbered(9)}/statistics", 404) == {"detail": "there is no job of that id"}
