"""What the API answers from rows: the contract's shapes, filters, pages, counts and errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, insert
from sqlalchemy.pool import NullPool
from testkit.api_apps import build_services, open_client, serve_reads
from testkit.databases import copy_database
from testkit.query_plans import note_statements
from testkit.rows import (
    NOON,
    execution_row,
    function_row,
    instance_row,
    job_row,
    numbered,
    running_row,
)

from sundial_api.db.engine import parse_url
from sundial_api.db.tables import (
    ScheduledJobExecution,
    ScheduledJobRow,
    SchedulerInstance,
    TaskFunctionRow,
)
from sundial_api.jobs import service
from sundial_devcluster.postgres import Postgres

PAST, FUTURE = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))


@pytest.fixture(scope="module")
def filled(postgres: Postgres, template: str) -> Iterator[str]:
    runs = [execution_row(number) for number in range(1, 8)]
    instance = instance_row(1, is_leader=True, leader_since=NOON, last_heartbeat=datetime.now(UTC))
    with copy_database(postgres, template) as url:
        engine = create_engine(parse_url(url), poolclass=NullPool)
        with engine.begin() as connection:
            for function in FUNCTIONS:
                connection.execute(insert(TaskFunctionRow).values(function))
            connection.execute(insert(ScheduledJobRow), JOBS)
            connection.execute(insert(ScheduledJobExecution), runs)
            connection.execute(insert(ScheduledJobExecution).values(running_row(8, job_id=numbered(2))))
            connection.execute(insert(SchedulerInstance).values(instance))
        yield url


@pytest.fixture
async def api(filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with serve_reads(filled) as client:
        yield client


FUNCTIONS = [
    function_row(2, handler_type="container", handler_path=""),
    function_row(3, handler_type="container", handler_path="", is_active=False),
    function_row(4, handler_type="celery_task"),
    function_row(5, handler_type="async_function", is_active=False),
]
JOBS = [
    job_row(1, name="Nightly 100%_report", task_function_id=2) | {"suspended": False, "paused_until": None},
    job_row(2, name="مهمة الليل", task_function_id=2) | {"suspended": True, "paused_until": None},
    job_row(3) | {"suspended": False, "paused_until": PAST},
    job_row(4) | {"suspended": False, "paused_until": FUTURE},
    job_row(5) | {"suspended": False, "paused_until": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)},
]


async def read(api: httpx.AsyncClient, path: str, status: int = 200) -> Any:
    answer = await api.get(path)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        pytest.param("", {1, 2, 3, 4, 5}, id="all"),
        pytest.param("?is_enabled=true", {1, 3}, id="enabled: a pause that has ended counts no more"),
        pytest.param("?is_enabled=false", {2, 4, 5}, id="disabled"),
        pytest.param("?name=NIGHT", {1}, id="part of the name in any case"),
        pytest.param("?name=100%25_r", {1}, id="wildcards are plain"),
        pytest.param("?name=_", {1}, id="an underscore is itself"),
        pytest.param("?name=الليل", {2}, id="arabic"),
        pytest.param("?task_function_id=2", {1, 2}, id="task function"),
        pytest.param("?namespace=elsewhere", set(), id="namespace"),
    ],
)
async def test_jobs_are_filtered(api: httpx.AsyncClient, query: str, numbers: set[int]) -> None:
    answer = await read(api, f"/jobs{query}")
    assert {job["id"] for job in answer["jobs"]} == {str(numbered(number)) for number in numbers}
    assert answer["total"] == len(numbers)


async def test_counts_are_over_all_jobs(api: httpx.AsyncClient) -> None:
    answer = await api.get("/jobs?name=nightly&per_page=1")
    counts = ("total", "enabledCount", "disabledCount", "runningCount")
    assert [answer.json()[name] for name in counts] == [1, 2, 3, 0]
    assert answer.headers["X-Total-Count"] == "1"
    assert (answer.headers["X-Page"], answer.headers["X-Per-Page"]) == ("1", "1")


async def test_newest_results_come_with_each_job_of_a_page_when_asked_for(api: httpx.AsyncClient) -> None:
    answer = await read(api, "/jobs?include=recent")
    recent = {job["id"]: job["recent"] for job in answer["jobs"]}
    newest = [str(numbered(1_000_000 + number)) for number in range(7, 0, -1)]
    assert [run["id"] for run in recent[str(numbered(1))]] == newest
    assert recent[str(numbered(1))][0] == {
        "id": newest[0],
        "status": "success",
        "startedAt": "2026-11-01T12:07:00Z",
        "durationSeconds": 30.0,
        "triggeredBy": "scheduler",
    }
    assert [run["status"] for run in recent[str(numbered(2))]] == ["running"]
    assert [recent[str(numbered(number))] for number in (3, 4, 5)] == [[], [], []]


async def test_newest_results_are_30_of_a_job_by_one_query(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_RECENT", 3)
    async with build_services(filled) as application, open_client(application) as api:
        with note_statements(application.state.services.engine.sync_engine) as statements:
            answer = await read(api, "/jobs?include=recent")
    assert max(len(job["recent"]) for job in answer["jobs"]) == 3
    assert len([one for one, _ in statements if "json_agg" in one]) == 1


async def test_answers_without_include_are_as_they_were(api: httpx.AsyncClient) -> None:
    jobs = (await read(api, "/jobs"))["jobs"]
    assert not [job for job in jobs if "recent" in job]
    assert "recent" not in await read(api, f"/jobs/{numbered(1)}")


async def test_newest_results_come_with_one_job_too(api: httpx.AsyncClient) -> None:
    assert len((await read(api, f"/jobs/{numbered(1)}?include=recent"))["recent"]) == 7


@pytest.mark.parametrize("path", ["/jobs", f"/jobs/{numbered(1)}"])
async def test_unknown_include_says_what_there_is(api: httpx.AsyncClient, path: str) -> None:
    refused = (await read(api, f"{path}?include=recent&include=runs", 422))["detail"][0]
    assert refused["loc"] == ["query", "include", 1]
    assert "'recent'" in refused["msg"]


async def test_cursor_reads_on_where_the_page_ended(api: httpx.AsyncClient) -> None:
    first = await read(api, "/executions?per_page=5")
    second = await read(api, f"/executions?per_page=5&cursor={first['nextCursor']}")
    ids = [one["id"] for one in first["executions"] + second["executions"]]
    assert ids == [str(numbered(1_000_000 + number)) for number in range(8, 0, -1)]
    assert second["nextCursor"] is None


@pytest.mark.parametrize(("path", "total"), [("/executions", 8), ("/jobs", 5), ("/jobs?sort=name", 5)])
async def test_a_last_page_that_is_full_has_no_cursor(api: httpx.AsyncClient, path: str, total: int) -> None:
    sign = "&" if "?" in path else "?"
    assert (await read(api, f"{path}{sign}per_page={total}"))["nextCursor"] is None
    first = await read(api, f"{path}{sign}per_page={total - 1}")
    rest = await read(api, f"{path}{sign}per_page=1&cursor={first['nextCursor']}")
    assert (rest["total"], rest["nextCursor"]) == (total, None)
    first = await read(api, f"{path}{sign}per_page={total - 2}")
    assert (await read(api, f"{path}{sign}per_page=1&cursor={first['nextCursor']}"))["nextCursor"]


@pytest.mark.parametrize(("path", "other"), [("/executions", "/jobs"), ("/jobs", "/executions")])
async def test_a_cursor_of_another_list_is_refused(api: httpx.AsyncClient, path: str, other: str) -> None:
    cursor = (await read(api, f"{path}?per_page=1"))["nextCursor"]
    refused = (await read(api, f"{other}?per_page=1&cursor={cursor}", 422))["detail"][0]
    assert (refused["loc"], "is not a cursor of this list" in refused["msg"]) == (["query", "cursor"], True)


async def test_recent_in_fields_asks_for_it(api: httpx.AsyncClient) -> None:
    whole = {job["id"]: job["recent"] for job in (await read(api, "/jobs?include=recent"))["jobs"]}
    chosen = (await read(api, "/jobs?fields=id,recent"))["jobs"]
    assert {job["id"]: job["recent"] for job in chosen} == whole
    one = await read(api, f"/jobs/{numbered(1)}?fields=recent")
    assert one == {"recent": whole[str(numbered(1))]}


@pytest.mark.parametrize("page", [1, 2, 3, 4, 5])
async def test_pages_of_either_half_are_in_order(api: httpx.AsyncClient, page: int) -> None:
    answer = await read(api, f"/executions?per_page=2&page={page}")
    newest = [str(numbered(1_000_000 + number)) for number in range(8, 0, -1)]
    assert [one["id"] for one in answer["executions"]] == newest[2 * page - 2 : 2 * page]
    assert answer["total"] == 8


async def test_executions_are_filtered_by_job_and_state(api: httpx.AsyncClient) -> None:
    assert (await read(api, f"/executions?job_id={numbered(1)}"))["total"] == 7
    assert (await read(api, "/executions?status=running"))["total"] == 1
    assert (await read(api, f"/jobs/{numbered(2)}/executions?status=success"))["executions"] == []


async def test_execution_has_the_contracts_fields(api: httpx.AsyncClient) -> None:
    answer = await read(api, f"/executions/{numbered(1_000_001)}")
    assert (answer["startedAt"], answer["durationSeconds"]) == ("2026-11-01T12:01:00Z", 30.0)
    assert (answer["status"], answer["triggeredBy"], answer["jobId"]) == (
        "success",
        "scheduler",
        str(numbered(1)),
    )


async def test_job_comes_with_what_belongs_to_it(api: httpx.AsyncClient) -> None:
    answer = await read(api, f"/jobs/{numbered(1)}")
    assert answer["taskFunction"]["name"] == "function_2"
    assert answer["jobType"] == {"id": 2, "name": "cron"} | {
        name: answer["jobType"][name] for name in ("displayName", "description")
    }
    assert answer["recentExecutions"][0]["startedAt"] == "2026-11-01T12:07:00Z"


async def test_status_names_the_leader(api: httpx.AsyncClient) -> None:
    answer = await read(api, "/status")
    assert answer["isRunning"] is True
    assert answer["leaderInstance"]["id"] == str(numbered(1))
    assert (answer["totalJobs"], answer["enabledJobs"]) == (5, 2)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        pytest.param("", {2: True, 3: False, 4: True, 5: False}, id="all"),
        pytest.param("?is_active=true", {2: True, 4: True}, id="offered, whatever runs them"),
        pytest.param("?is_active=false", dict.fromkeys((3, 5), False), id="all others"),
    ],
)
async def test_functions_are_listed(api: httpx.AsyncClient, query: str, numbers: dict[int, bool]) -> None:
    answer = await read(api, f"/task-functions{query}")
    assert {f["id"]: f["isActive"] for f in answer["taskFunctions"]} == numbers
    assert answer["total"] == len(numbers)


async def test_job_types_are_listed(api: httpx.AsyncClient) -> None:
    assert [t["id"] for t in await read(api, "/job-types")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("path", "status", "place"),
    [
        pytest.param(f"/jobs/{numbered(99)}", 404, None, id="unknown job"),
        pytest.param(f"/executions/{numbered(99)}", 404, None, id="unknown execution"),
        pytest.param("/jobs/nonsense", 422, ["path", "job_id"], id="no uuid"),
        pytest.param("/jobs?page=0", 422, ["query", "page"], id="page 0"),
        pytest.param("/jobs?per_page=101", 422, ["query", "per_page"], id="page too large"),
        pytest.param("/executions?status=odd", 422, ["query", "status"], id="unknown state"),
        pytest.param("/executions?cursor=odd", 422, ["query", "cursor"], id="no cursor"),
        pytest.param("/jobs?name=%00", 422, ["query", "name"], id="NUL"),
        pytest.param("/nothing", 404, None, id="no such path"),
    ],
)
async def test_errors_name_their_place(
    api: httpx.AsyncClient, path: str, status: int, place: list[str] | None
) -> None:
    detail = (await read(api, path, status))["detail"]
    assert isinstance(detail, str) if place is None else detail[0]["loc"] == place
