"""What a caller chooses: fields, which are then all that is read, and no answer that it has already."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, create_engine, insert, text
from sqlalchemy.pool import NullPool
from testkit.api_apps import build_services
from testkit.databases import copy_database
from testkit.query_plans import Sent, note_statements
from testkit.rows import execution_row, function_row, job_row, numbered, slot_row

from sundial_api.db.engine import parse_url
from sundial_api.db.tables import (
    ScheduledJobExecution,
    ScheduledJobRow,
    ScheduledJobSlot,
    TaskFunctionRow,
)
from sundial_api.main import PREFIX
from sundial_devcluster.postgres import Postgres

JOB, RUN = f"/jobs/{numbered(1)}", f"/executions/{numbered(1_000_001)}"
HEAVY = (
    *("error_traceback", "attempts", "sources", "result", "error_message"),
    *("schedule_config", "task_args", "recent_slots", "active_runs", "message", "parameters_schema"),
)
"""Columns that hold much, of any table."""


@pytest.fixture(scope="module")
def filled(postgres: Postgres, template: str) -> Iterator[str]:
    with copy_database(postgres, template) as url:
        with create_engine(parse_url(url), poolclass=NullPool).begin() as connection:
            connection.execute(insert(TaskFunctionRow).values(function_row(2, namespace="reports")))
            connection.execute(insert(ScheduledJobRow).values(job_row(1, task_function_id=2)))
            connection.execute(insert(ScheduledJobExecution), [execution_row(1), execution_row(2)])
            connection.execute(insert(ScheduledJobSlot).values(slot_row(1)))
        yield url


class Asking:
    """A caller, the statements that its requests sent, and a way to change rows."""

    def __init__(self, http: httpx.AsyncClient, statements: list[Sent], engine: Engine) -> None:
        self.http, self.statements, self._engine = http, statements, engine

    def change(self, statement: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(text(statement))


@pytest.fixture
async def asking(filled: str) -> AsyncIterator[Asking]:
    engine = create_engine(parse_url(filled), poolclass=NullPool)
    async with build_services(filled) as application:
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://api{PREFIX}") as http:
            with note_statements(application.state.services.engine.sync_engine) as statements:
                yield Asking(http, statements, engine)


ON_REQUEST = {"recent"}
"""What only `include` brings."""
CHOSEN = [
    pytest.param("/jobs", "jobs", ["id", "name", "isEnabled"], id="jobs"),
    pytest.param("/executions", "executions", ["id", "startedAt"], id="executions"),
    pytest.param(f"{JOB}/executions", "executions", ["status", "durationSeconds"], id="executions of a job"),
    pytest.param(f"{JOB}/slots", "slots", ["verdict", "count"], id="slots"),
    pytest.param("/task-functions", "taskFunctions", ["id", "name"], id="task functions"),
    pytest.param(JOB, None, ["name", "isPaused", "nextRunTime"], id="a job"),
    pytest.param(RUN, None, ["status", "exitCode"], id="an execution"),
]


@pytest.mark.parametrize(("path", "key", "fields"), CHOSEN)
async def test_fields_that_are_chosen_are_all_that_is_sent_and_read(
    asking: Asking, path: str, key: str | None, fields: list[str]
) -> None:
    whole = (await asking.http.get(path)).json()
    asking.statements.clear()
    answer = await asking.http.get(f"{path}?fields={','.join(fields)}")
    assert answer.status_code == 200, answer.text
    expected = rows_of(whole, key)
    assert rows_of(answer.json(), key) == [{name: row[name] for name in fields} for row in expected]
    if key:
        assert answer.json() | {key: expected} == whole
    assert [name for sent in asking.statements for name in HEAVY if f".{name}" in sent[0]] == []


def rows_of(answer: Any, key: str | None) -> list[dict[str, Any]]:
    return list(answer[key]) if key else [answer]


@pytest.mark.parametrize(("path", "key", "fields"), CHOSEN)
async def test_without_a_choice_every_field_is_there(
    asking: Asking, path: str, key: str | None, fields: list[str]
) -> None:
    document = asking.http._transport.app.openapi()  # type: ignore[attr-defined]
    answer = rows_of((await asking.http.get(path)).json(), key)
    place = "/task-functions" if path == "/task-functions" else path
    for known, mark in ((str(numbered(1)), "{job_id}"), (str(numbered(1_000_001)), "{execution_id}")):
        place = place.replace(known, mark)
    shown = document["paths"][PREFIX + place]["get"]["responses"]["200"]["content"]["application/json"]
    model = document["components"]["schemas"][shown["schema"]["$ref"].rpartition("/")[2]]
    if key:
        model = document["components"]["schemas"][
            model["properties"][key]["items"]["$ref"].rpartition("/")[2]
        ]
    assert answer
    assert all(row.keys() == model["properties"].keys() - ON_REQUEST for row in answer)
    assert set(fields) < model["properties"].keys()


async def test_a_list_is_the_same_page_with_and_without_fields(asking: Asking) -> None:
    first = await asking.http.get("/executions?fields=status&per_page=1")
    assert first.headers["X-Total-Count"] == "2"
    rest = await asking.http.get(f"/executions?fields=id&per_page=1&cursor={first.json()['nextCursor']}")
    assert rest.json()["executions"] == [{"id": str(numbered(1_000_001))}]


@pytest.mark.parametrize("named", ["id,nothing", "started_at", "", "id,,name", "jobs"])
@pytest.mark.parametrize("path", ["/jobs", RUN, JOB, f"{JOB}/slots"])
async def test_a_name_that_is_no_field_is_told_those_that_are(asking: Asking, path: str, named: str) -> None:
    answer = await asking.http.get(path, params={"fields": named})
    (problem,) = answer.json()["detail"]
    assert (answer.status_code, problem["loc"]) == (422, ["query", "fields"])
    assert "the fields are: " in problem["msg"]
    assert {"id", "firstSlot"} & set(problem["msg"].partition("are: ")[2].split(", "))


@pytest.mark.parametrize("path", ["/jobs", "/executions", JOB, RUN, f"{JOB}/slots", "/status", "/job-types"])
async def test_who_has_an_answer_gets_no_other(asking: Asking, path: str) -> None:
    whole = await asking.http.get(path)
    tag = whole.headers.get("X-Content-Tag", whole.headers["ETag"])
    for known in (tag, f'"other", W/{tag}', "*"):
        again = await asking.http.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        kept = ("ETag", "Cache-Control", "X-Total-Count")
        assert [again.headers.get(name) for name in kept] == [whole.headers.get(name) for name in kept]
        assert "Content-Type" not in again.headers
    other = await asking.http.get(path, headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, whole.content)


async def test_the_tag_of_a_job_hides_no_run(asking: Asking) -> None:
    before = await asking.http.get(JOB)
    asking.change("UPDATE scheduled_job_executions SET status = 'failed'")
    same = await asking.http.get(JOB, headers={"If-None-Match": before.headers["ETag"]})
    assert (same.status_code, same.headers["ETag"]) == (200, before.headers["ETag"])
    known = {"If-None-Match": before.headers["X-Content-Tag"]}
    answer = await asking.http.get(JOB, headers=known)
    asking.change("UPDATE scheduled_job_executions SET status = 'success'")
    assert answer.status_code == 200
    assert {run["status"] for run in answer.json()["recentExecutions"]} == {"failed"}
    assert (await asking.http.get(JOB, headers=known)).status_code == 304


async def test_errors_have_no_tag(asking: Asking) -> None:
    answer = await asking.http.get(f"/jobs/{numbered(99)}", headers={"If-None-Match": "*"})
    assert (answer.status_code, "ETag" in answer.headers) == (404, False)
