"""Lists over several namespaces are the rows of exactly those, however many: by comparison with all rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, insert
from sqlalchemy.pool import NullPool
from testkit.api_apps import build_services, serve_reads
from testkit.databases import copy_database
from testkit.rows import NOON, execution_row, function_row, job_row, numbered

from sundial_api.auth.access import Action, AllowAll, describe_refusal
from sundial_api.auth.tokens import Caller
from sundial_api.auth.visible_namespaces import Reach
from sundial_api.db import several_namespaces
from sundial_api.db.engine import parse_url
from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobRow, TaskFunctionRow
from sundial_api.events.rights import ListenerRights, MayNotListen
from sundial_api.executions import repository
from sundial_api.http.errors import HTTPProblem
from sundial_devcluster.postgres import Postgres
from sundial_kube.resources import Resource

NAMESPACES = 12
RUNS = 120
VISIBLE = ("team-1", "team-10", "team-4")


class Reaching(AllowAll):
    """Permits to list in some namespaces; says of the answer whether those are all."""

    def __init__(self, *namespaces: str, is_complete: bool = True) -> None:
        self.reach = Reach(namespaces, is_complete)

    async def require(self, caller: Caller, action: Action) -> None:
        if not self.reach.includes(action.ns):
            raise HTTPProblem(403, describe_refusal(caller, action))

    async def find_reach(self, _caller: Caller, _resource: Resource) -> Reach:
        return self.reach


def namespace_of(number: int) -> str:
    """Spread runs unevenly: the first namespaces have many, the last have none of the newest."""
    return f"team-{min(number % 7, number % 13) if number < 60 else number % NAMESPACES}"


RUNS_MADE = [
    execution_row(
        number,
        namespace=namespace_of(number),
        job_id=numbered(100 + int(namespace_of(number).removeprefix("team-"))),
        status=("success", "failed", "timeout")[number % 3],
        started_at=NOON - timedelta(minutes=number // 3),
        completed_at=NOON + timedelta(hours=1),
    )
    for number in range(RUNS)
]


@pytest.fixture(scope="module")
def filled(postgres: Postgres, template: str) -> Iterator[str]:
    jobs = [
        job_row(100 + number, namespace=f"team-{number}", task_function_id=2 + number, next_run_time=NOON)
        for number in range(NAMESPACES)
    ]
    functions = [function_row(2 + number, namespace=f"team-{number}") for number in range(NAMESPACES)]
    with copy_database(postgres, template) as url:
        with create_engine(parse_url(url), poolclass=NullPool).begin() as connection:
            connection.execute(insert(ScheduledJobRow), jobs)
            connection.execute(insert(TaskFunctionRow), functions)
            connection.execute(insert(ScheduledJobExecution), RUNS_MADE)
        yield url


@pytest.fixture
async def api(filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with serve_reads(filled, access=Reaching(*VISIBLE)) as client:
        yield client


async def read(api: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await api.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def expect(namespaces: tuple[str, ...], status: str | None = None) -> list[str]:
    """List the ids of runs of some namespaces, newest first."""
    wanted = [
        run
        for run in RUNS_MADE
        if run["namespace"] in namespaces and (status is None or run["status"] == status)
    ]
    wanted.sort(key=lambda run: (run["started_at"], run["id"]), reverse=True)
    return [str(run["id"]) for run in wanted]


@pytest.fixture(params=["merged", "gathered"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the lists made in either way: far from both ends, and near to one."""
    if request.param == "gathered":
        for module in (several_namespaces, repository):
            monkeypatch.setattr(module, "MAX_MERGED", 1)
    else:
        monkeypatch.setattr(several_namespaces, "MAX_ROWS_OF_MANY", 0)
    return str(request.param)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("namespaces", [VISIBLE, ("team-0", "team-5"), ("team-11", "nowhere")], ids=str)
@pytest.mark.parametrize("status", [None, "failed", "running"])
@pytest.mark.parametrize("size", [1, 5, 100])
async def test_pages_are_the_runs_of_those_namespaces(
    filled: str, namespaces: tuple[str, ...], status: str | None, size: int
) -> None:
    query = {"per_page": size} | ({"status": status} if status else {})
    expected = expect(namespaces, status)
    async with serve_reads(filled, access=Reaching(*namespaces)) as api:
        by_number, by_cursor, cursor = [], [], None
        for page in range(1, 3 + len(expected) // size):
            answer = await read(api, "/executions", page=page, **query)
            by_number += [run["id"] for run in answer["executions"]]
            assert answer["total"] == len(expected)
        while cursor is not None or not by_cursor:
            answer = await read(api, "/executions", **query, **({"cursor": cursor} if cursor else {}))
            by_cursor += [run["id"] for run in answer["executions"]]
            cursor = answer["nextCursor"]
            if not answer["executions"]:
                break
    assert (by_number, by_cursor) == (expected, expected)


@pytest.mark.usefixtures("way")
async def test_a_page_over_many_namespaces_is_near_to_an_end(
    api: httpx.AsyncClient, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "MAX_ROWS_OF_MANY", 4)
    total = len(expect(VISIBLE))
    await read(api, "/executions", per_page=1, page=5)
    await read(api, "/executions", per_page=1, page=total - 4)
    refused = await api.get("/executions", params={"per_page": 1, "page": 10})
    assert refused.status_code == (422 if way == "gathered" else 200)
    if way == "gathered":
        assert "use cursor instead of page" in refused.text


async def test_runs_of_a_job_elsewhere_are_not_shown(api: httpx.AsyncClient) -> None:
    assert (await read(api, "/executions", job_id=str(numbered(101))))["total"] > 0
    elsewhere = await read(api, "/executions", job_id=str(numbered(100)))
    assert (elsewhere["executions"], elsewhere["total"]) == ([], 0)


async def test_each_list_is_over_those_namespaces(api: httpx.AsyncClient) -> None:
    jobs = await read(api, "/jobs")
    assert {job["namespace"] for job in jobs["jobs"]} == set(VISIBLE)
    assert (jobs["total"], jobs["enabledCount"]) == (3, 3)
    functions = await read(api, "/task-functions")
    assert {function["namespace"] for function in functions["taskFunctions"]} == set(VISIBLE)
    status = await read(api, "/status")
    assert (status["totalJobs"], status["nextScheduledJob"]["namespace"] in VISIBLE) == (3, True)
    assert (await read(api, "/namespaces")) == {"namespaces": list(VISIBLE), "isComplete": True}


async def test_who_may_list_everywhere_sees_the_namespaces_that_there_are(filled: str) -> None:
    async with serve_reads(filled) as api:
        found = await read(api, "/namespaces")
    assert found["namespaces"] == sorted(f"team-{number}" for number in range(NAMESPACES))


@pytest.mark.parametrize("path", ["/jobs", "/executions", "/task-functions", "/status", "/namespaces"])
@pytest.mark.parametrize("is_complete", [True, False])
async def test_an_answer_says_whether_it_is_over_all_of_them(
    filled: str,
    path: str,
    is_complete: bool,  # noqa: FBT001
) -> None:
    async with serve_reads(filled, access=Reaching("team-1", is_complete=is_complete)) as api:
        assert (await read(api, path))["isComplete"] is is_complete


async def test_events_are_of_those_namespaces_as_they_are_now(filled: str) -> None:
    reaching, caller = Reaching(*VISIBLE), Caller("zoe", numbered(1))
    async with build_services(filled, access=reaching) as application:
        rights = ListenerRights(application.state.services, None, None)
        assert await rights.find_namespaces(caller) == VISIBLE
        reaching.reach = Reach(("team-5",))
        assert await rights.find_again() == ("team-5",)
        reaching.reach = Reach(("team-5",), is_complete=False)
        with pytest.raises(MayNotListen):
            await rights.find_again()


async def test_events_wait_until_it_is_known_whose_they_may_be(filled: str) -> None:
    async with serve_reads(filled, access=Reaching("team-1", is_complete=False)) as api:
        answer = await api.get("/events")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "still being found" in answer.json()["detail"]
