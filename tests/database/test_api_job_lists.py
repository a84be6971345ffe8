"""Lists of jobs in every order, by every state, page by page: by what the API answers from rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import Connection, create_engine, insert, select, text
from sqlalchemy.pool import NullPool
from testkit.api_apps import serve_reads
from testkit.databases import copy_database
from testkit.rows import NOON, function_row, job_row, numbered

from sundial_api.db.columns import OPEN_ENDED
from sundial_api.db.engine import parse_url
from sundial_api.db.tables import ScheduledJobRow, TaskFunctionRow
from sundial_api.jobs.repository import LATE
from sundial_devcluster.postgres import Postgres

NOW = datetime.now(UTC)
SORTS = ("newest", "next_run", "name", "last_run", "failing")
PER_PAGE = 3


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def make(number: int, **changes: Any) -> dict[str, Any]:
    plain = {
        "suspended": False,
        "paused_until": None,
        "pause_reason": None,
        "managed_by": None,
        "next_run_time": None,
        "last_run_time": None,
        "last_status": None,
        "consecutive_failures": 0,
        "active_count": 0,
        "created_at": NOON + timedelta(minutes=number // 2),
    }
    return job_row(number, **(plain | changes))


JOBS = [
    make(1, name="beta", next_run_time=ago(-3000), last_run_time=ago(90), last_status="success"),
    make(2, name="Alpha", next_run_time=ago(-3000), last_run_time=ago(90), last_status="failed"),
    make(3, name="alpha", next_run_time=ago(120), consecutive_failures=2, last_status="failed"),
    make(4, name="ليل", next_run_time=ago(120), suspended=True, consecutive_failures=2),
    make(5, name='<b>"\\&', next_run_time=ago(-4000), last_status="running", active_count=1),
    make(6, next_run_time=ago(120), paused_until=ago(-3600), pause_reason="moving"),
    make(7, next_run_time=ago(120), paused_until=ago(3600), pause_reason="over"),
    make(8, paused_until=OPEN_ENDED, managed_by={"tool": "Helm", "name": "team/shop"}),
    make(9, name="x" * 253, consecutive_failures=2**62, namespace="other"),
    make(10, deleted_at=NOON, next_run_time=ago(500), consecutive_failures=9, last_status="failed"),
]
LIVE = [job for job in JOBS if not job.get("deleted_at")]


@pytest.fixture(scope="module")
def filled(postgres: Postgres, template: str) -> Iterator[str]:
    with copy_database(postgres, template) as url:
        with create_engine(parse_url(url), poolclass=NullPool).begin() as connection:
            for row in JOBS:
                connection.execute(insert(ScheduledJobRow).values(row))
            functions = [
                function_row(2, name="send_mail", description="Tells people, 100% of them"),
                function_row(3, display_name="Send a letter"),
                function_row(4, resource_name="x_y", name="x_y", namespace="other"),
            ]
            for row in functions:
                connection.execute(insert(TaskFunctionRow).values(row))
        yield url


@pytest.fixture
async def api(filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with serve_reads(filled) as client:
        yield client


async def read(api: httpx.AsyncClient, path: str, status: int = 200, **query: Any) -> Any:
    answer = await api.get(path, params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


async def list_numbers(api: httpx.AsyncClient, **query: Any) -> list[int]:
    jobs = (await read(api, "/jobs", **query))["jobs"]
    ids = {str(numbered(number)): number for number in range(20)}
    return [ids[job["id"]] for job in jobs]


async def turn_pages(api: httpx.AsyncClient, **query: Any) -> list[int]:
    """Read on by the cursor until there is none."""
    found: list[int] = []
    ids = {str(numbered(number)): number for number in range(20)}
    cursor: dict[str, str] = {}
    while True:
        answer = await read(api, "/jobs", per_page=PER_PAGE, **query, **cursor)
        found += [ids[job["id"]] for job in answer["jobs"]]
        if answer["nextCursor"] is None:
            return found
        cursor = {"cursor": answer["nextCursor"]}


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        pytest.param("newest", [[9, 8], [7, 6], [5, 4], [3, 2], [1]], id="newest"),
        pytest.param("next_run", [[3, 4, 6, 7], [1, 2], [5], [8, 9]], id="what never runs last"),
        pytest.param("name", [[5], [3, 2], [1], [6], [7], [8], [9], [4]], id="name, in any case"),
        pytest.param("last_run", [[1, 2], [3, 4, 5, 6, 7, 8, 9]], id="what never ran last"),
        pytest.param("failing", [[9], [4], [3], [8], [7, 6], [5], [2], [1]], id="failing first"),
    ],
)
async def test_jobs_come_in_order(api: httpx.AsyncClient, sort: str, expected: list[list[int]]) -> None:
    found = iter(await list_numbers(api, sort=sort, per_page=100))
    for tied in expected:
        assert {next(found) for _ in tied} == set(tied)
    assert list(found) == []


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("query", [{}, {"namespace": "default"}, {"failing": "true"}], ids=str)
async def test_pages_by_cursor_are_the_list(api: httpx.AsyncClient, sort: str, query: dict[str, str]) -> None:
    whole = await list_numbers(api, sort=sort, per_page=100, **query)
    assert await turn_pages(api, sort=sort, **query) == whole
    pages = [await list_numbers(api, sort=sort, per_page=2, page=page, **query) for page in range(1, 7)]
    assert [number for page in pages for number in page] == whole


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"last_status": "success"}, {1}),
        ({"last_status": "failed"}, {2, 3}),
        ({"last_status": "running"}, {5}),
        ({"failing": "true"}, {3, 4, 9}),
        ({"failing": "false"}, {1, 2, 5, 6, 7, 8}),
        ({"late": "true"}, {3, 7}),
        ({"late": "false"}, {1, 2, 4, 5, 6, 8, 9}),
        ({"paused": "true"}, {6, 8}),
        ({"paused": "false"}, {1, 2, 3, 4, 5, 7, 9}),
        ({"failing": "true", "late": "true"}, {3}),
        ({"failing": "true", "namespace": "other"}, {9}),
    ],
    ids=str,
)
async def test_jobs_are_filtered_by_state(
    api: httpx.AsyncClient, query: dict[str, str], numbers: set[int]
) -> None:
    assert set(await list_numbers(api, **query)) == numbers
    assert (await read(api, "/jobs", **query))["total"] == len(numbers)


@pytest.mark.parametrize(("seconds", "expected"), [(59.9, False), (60.0, False), (60.1, True)])
def test_a_job_is_late_a_minute_after_its_time_by_the_databases_clock(
    connection: Connection,
    seconds: float,
    expected: bool,  # noqa: FBT001
) -> None:
    connection.execute(insert(ScheduledJobRow).values(make(1)))
    # a transaction has one time
    moved = text("UPDATE scheduled_jobs SET next_run_time = now() - :seconds * interval '1 second'")
    connection.execute(moved, {"seconds": seconds})
    assert connection.scalar(select(LATE)) is expected


async def test_counts_are_over_all_jobs_of_the_namespace(api: httpx.AsyncClient) -> None:
    names = ("enabledCount", "disabledCount", "runningCount", "failingCount", "lateCount", "pausedCount")
    for query in ({}, {"failing": "true", "name": "nothing"}):
        answer = await read(api, "/jobs", **query)
        assert [answer[name] for name in names] == [6, 3, 1, 3, 2, 2]
        assert answer["lastStatusCounts"] == {"success": 1, "failed": 2, "running": 1}
    other = await read(api, "/jobs", namespace="other")
    assert [other[name] for name in names] == [1, 0, 0, 1, 0, 0]


async def test_a_job_says_why_it_stands_still_and_whose_it_is(api: httpx.AsyncClient) -> None:
    fields = ("isPaused", "pausedUntil", "pauseReason", "isLate", "managedBy")
    shown = {}
    for number in (3, 6, 7, 8):
        job = await read(api, f"/jobs/{numbered(number)}")
        shown[number] = [job[name] for name in fields]
    until = (await read(api, f"/jobs/{numbered(6)}"))["pausedUntil"]
    assert datetime.fromisoformat(until) == ago(-3600)
    assert shown == {
        3: [False, None, None, True, None],
        6: [True, until, "moving", False, None],
        7: [False, None, None, True, None],
        8: [True, None, None, False, {"tool": "Helm", "name": "team/shop"}],
    }


def write(*values: Any) -> str:
    return httpx.QueryParams({"cursor": base64(orjson.dumps(list(values)))})["cursor"]


def base64(text: bytes) -> str:
    import base64 as codec

    return codec.urlsafe_b64encode(text).decode().rstrip("=")


ID = str(numbered(1))


@pytest.mark.parametrize(
    ("sort", "cursor"),
    [
        pytest.param("name", write("newest", "2026-01-01 00:00:00+00", ID), id="of another order"),
        pytest.param("newest", write("newest", "2026-01-01 00:00:00+00"), id="too short"),
        pytest.param("newest", write("newest", "2026-01-01 00:00:00+00", ID, ID), id="too long"),
        pytest.param("newest", write("newest", "yesterday", ID), id="no instant"),
        pytest.param("newest", write("newest", "0001-01-01 00:00:00+23:59", ID), id="in another zone"),
        pytest.param("newest", write("newest", "2026-01-01 00:00:00+00", "me"), id="no id"),
        pytest.param("newest", write("newest", 7, ID), id="a number"),
        pytest.param("newest", write("newest", [], ID), id="a list"),
        pytest.param("failing", write("failing", "9" * 30, "infinity", ID), id="a count too large"),
        pytest.param("failing", write("failing", "1_0", "infinity", ID), id="an odd count"),
        pytest.param("name", write("name", "a\x00b", ID), id="a NUL"),
        pytest.param("name", base64(b'["name", "\\ud800", "x"]'), id="half a surrogate pair"),
        pytest.param("name", base64(b"{}"), id="no list"),
        pytest.param("name", base64(b"[]"), id="nothing"),
        pytest.param("name", "?", id="no base64"),
        pytest.param("name", "é", id="no ASCII"),
    ],
)
async def test_what_is_no_cursor_of_this_order_is_refused(
    api: httpx.AsyncClient, sort: str, cursor: str
) -> None:
    answer = await read(api, "/jobs", 422, sort=sort, cursor=cursor)
    assert answer["detail"][0]["loc"] == ["query", "cursor"]


@pytest.mark.parametrize(
    ("place", "numbers"),
    [
        (["next_run", "infinity", ID], {8, 9}),
        (["last_run", "-infinity", "ffffffff-ffff-4fff-bfff-ffffffffffff"], {3, 4, 5, 6, 7, 8, 9}),
    ],
    ids=["at the end that never comes", "at the end that never was"],
)
async def test_a_page_can_end_among_jobs_without_a_value(
    api: httpx.AsyncClient, place: list[str], numbers: set[int]
) -> None:
    found = await list_numbers(api, sort=place[0], cursor=write(*place), per_page=100)
    assert set(found) <= numbers


@pytest.mark.parametrize(
    ("q", "numbers"),
    [
        ("SEND", {2, 3}),
        ("letter", {3}),
        ("people", {2}),
        ("100%", {2}),
        ("%", {2}),
        ("x_y", {4}),
        ("x%y", set()),
        ("", {2, 3, 4}),
    ],
)
async def test_task_functions_are_searched(api: httpx.AsyncClient, q: str, numbers: set[int]) -> None:
    answer = await read(api, "/task-functions", q=q)
    assert {function["id"] for function in answer["taskFunctions"]} == numbers
    assert answer["total"] == len(numbers)


@pytest.mark.parametrize("q", ["x" * 254, "a\x00"], ids=["too long", "a NUL"])
async def test_a_search_is_bounded(api: httpx.AsyncClient, q: str) -> None:
    assert (await read(api, "/task-functions", 422, q=q))["detail"][0]["loc"] == ["query", "q"]
