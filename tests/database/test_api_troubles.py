"""What does the API answer in trouble? Which side is away, and never what it looks like inside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from kubernetes.aio import client
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import build_services, serve_reads
from testkit.rows import function_row, job_row, numbered

from sundial_api.auth.access import Action, AllowAll, SubjectAccessReviews
from sundial_api.auth.cluster_tokens import ClusterTokens
from sundial_api.auth.tokens import Anonymous, Caller
from sundial_api.db import probe
from sundial_api.db.tables import ScheduledJobRow, TaskFunctionRow
from sundial_api.main import PREFIX
from sundial_devcluster.polling import until_async
from sundial_kube.client import KubeClient

AWAY = "postgresql://sundial:secret@127.0.0.1:1/sundial"
JOB = {"name": "Clean up", "taskFunctionId": 2, "jobTypeId": 1, "scheduleConfig": {"hours": 1}}
PLACE = f"/jobs/{numbered(1)}"
READS = [
    *("/jobs", PLACE, "/executions", f"{PLACE}/executions", f"{PLACE}/slots", f"{PLACE}/statistics"),
    *("/status", "/task-functions", "/forecast"),
]
WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/jobs", JOB),
    ("PUT", PLACE, {"retryCount": 1}),
    ("PUT", f"{PLACE}/status", {"isEnabled": False}),
    ("POST", f"{PLACE}/trigger", None),
    ("DELETE", PLACE, None),
]
SECRETS = ("secret", "127.0.0.1", "postgresql", "SELECT", "Traceback", "sqlalchemy", "psycopg", "aiohttp")


class Broken(AllowAll):
    """Fails with words that are nobody's business."""

    async def require(self, caller: Caller, action: Action) -> None:
        raise RuntimeError(f"cannot use {AWAY} for {caller}: SELECT {action}")


@asynccontextmanager
async def lost_cluster() -> AsyncIterator[KubeClient]:
    async with KubeClient(client.Configuration(host="http://127.0.0.1:1"), request_seconds=2) as kube:
        yield kube


@pytest.fixture
async def stored(fresh_engine: AsyncEngine, fresh_database: str) -> str:
    async with fresh_engine.begin() as connection:
        await connection.execute(insert(TaskFunctionRow).values(function_row(2, handler_type="container")))
        await connection.execute(insert(ScheduledJobRow).values(job_row(1, task_function_id=2)))
    return fresh_database


def check_words(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]
    assert not [word for word in SECRETS if word in answer.text]
    assert status != 503 or int(answer.headers["Retry-After"]) > 0


async def test_reads_and_writes_are_503_while_the_database_is_away() -> None:
    async with lost_cluster() as kube, serve_reads(AWAY, client=kube) as api:
        for path in READS:
            answer = await api.get(path)
            check_words(answer, 503, "database cannot be reached")
            assert answer.headers["Retry-After"] == "2"
        for method, path, body in WRITES:
            check_words(await api.request(method, path, json=body), 503, "database cannot be reached")


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"STATEMENT_SECONDS": "0.2"}, id="its statement is ended"),
        pytest.param({"LOCK_SECONDS": "0.2"}, id="it waits for a lock"),
    ],
)
async def test_a_database_that_takes_too_long_is_not_away(
    stored: str, fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, limits: dict[str, str]
) -> None:
    for name, seconds in limits.items():
        monkeypatch.setenv(f"SUNDIAL_API_{name}", seconds)
    async with fresh_engine.begin() as holder, serve_reads(stored) as api:
        await holder.execute(text("LOCK TABLE scheduled_jobs, scheduler_execution_counts"))
        for path in ("/jobs", "/executions", "/status"):
            check_words(await api.get(path), 503, "the database did not answer in time")


async def test_events_are_503_while_the_database_is_away() -> None:
    async with serve_reads(AWAY) as api:
        check_words(await api.get("/events"), 503, "database cannot be reached")


async def test_history_reads_while_the_cluster_is_away_and_writes_are_503(stored: str) -> None:
    async with lost_cluster() as kube, serve_reads(stored, client=kube) as api:
        for path in READS:
            assert (await api.get(path)).status_code == 200, path
        for method, path, body in WRITES:
            check_words(await api.request(method, path, json=body), 503, "API server cannot be reached")


async def test_a_manifest_is_503_while_the_cluster_is_away(stored: str) -> None:
    async with lost_cluster() as kube, serve_reads(stored, client=kube) as api:
        check_words(await api.get(f"{PLACE}/manifest"), 503, "API server cannot be reached")


async def test_nobody_is_identified_while_the_cluster_is_away(stored: str) -> None:
    async with lost_cluster() as kube, serve_reads(stored, authenticator=ClusterTokens(kube)) as api:
        headers = {"Authorization": "Bearer x"}
        check_words(await api.get("/jobs", headers=headers), 503, "API server cannot be reached")


class HangingServer:
    """Takes requests and gives no answer; `hang_up` closes all connections, and the next ones at once."""

    def __init__(self) -> None:
        self.port = 0
        self.has_request = asyncio.Event()
        self._is_over = asyncio.Event()

    async def hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        self.has_request.set()
        await self._is_over.wait()
        writer.close()

    def hang_up(self) -> None:
        self._is_over.set()


@asynccontextmanager
async def hanging_cluster() -> AsyncIterator[tuple[HangingServer, KubeClient]]:
    hanging = HangingServer()
    server = await asyncio.start_server(hanging.hold, "127.0.0.1", 0)
    hanging.port = server.sockets[0].getsockname()[1]
    host = f"http://127.0.0.1:{hanging.port}"
    async with KubeClient(client.Configuration(host=host), request_seconds=60) as kube:
        yield hanging, kube
    hanging.hang_up()
    server.close()


async def holds_nothing(engine: AsyncEngine) -> bool:
    """Tell whether all connections are free; those that looked for a namespace first have had a moment."""
    await asyncio.sleep(0.1)
    return engine.pool.checkedout() == 0


@pytest.mark.parametrize("asks", ["who it is", "what is permitted"])
async def test_an_api_server_that_hangs_holds_no_connection_of_the_database(stored: str, asks: str) -> None:
    async with hanging_cluster() as (server, kube):
        authenticator = ClusterTokens(kube) if asks == "who it is" else Anonymous()
        how = {"authenticator": authenticator, "access": SubjectAccessReviews(kube)}
        async with build_services(stored, **how) as application:
            transport = httpx.ASGITransport(application, raise_app_exceptions=False)
            headers = {"Authorization": "Bearer x"}
            async with httpx.AsyncClient(transport=transport, base_url=f"http://api{PREFIX}") as api:
                asking = [asyncio.create_task(api.get(path, headers=headers)) for path in READS * 3]
                await server.has_request.wait()
                await until_async(partial(holds_nothing, application.state.services.engine))
                assert [task for task in asking if task.done()] == []
                server.hang_up()
                for answer in await asyncio.gather(*asking):
                    check_words(answer, 503, "API server cannot be reached")


async def read_ready(application: FastAPI) -> tuple[int, str]:
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as api:
        answer = await api.get("/readyz")
    return answer.status_code, answer.json()["database"]


async def test_a_pool_in_full_use_is_no_database_that_is_away(stored: str) -> None:
    async with build_services(stored) as application, AsyncExitStack() as exits:
        engine = application.state.services.engine
        for _ in range(engine.pool.size()):
            await exits.enter_async_context(engine.connect())
        assert await read_ready(application) == (200, "ok")


async def test_a_database_that_hangs_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "ANSWER_SECONDS", 0.2)
    async with hanging_cluster() as (server, _):
        url = f"postgresql://sundial@127.0.0.1:{server.port}/sundial"
        async with build_services(url) as application:
            answers = await asyncio.gather(*(read_ready(application) for _ in range(5)))
            assert set(answers) == {(503, "away")}
            server.hang_up()


async def test_failure_inside_has_no_words(stored: str) -> None:
    async with serve_reads(stored, access=Broken()) as api:
        for path in ("/jobs", PLACE, "/events"):
            check_words(await api.get(path), 500, "something went wrong inside")


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1024):
        yield b" " * 1024


@pytest.mark.parametrize("is_chunked", [True, False], ids=["chunked", "declared"])
async def test_body_of_more_than_a_mebibyte_is_413(stored: str, is_chunked: bool) -> None:  # noqa: FBT001
    size = 1024 * 1024 + 1024
    async with serve_reads(stored) as api:
        answer = await api.post("/jobs", content=chunks(size) if is_chunked else b" " * size)
    check_words(answer, 413, "at most 1048576 bytes")


async def test_job_of_a_function_that_never_was_is_shown(
    fresh_engine: AsyncEngine, fresh_database: str
) -> None:
    async with fresh_engine.begin() as connection:
        await connection.execute(insert(ScheduledJobRow).values(job_row(1, task_function_id=77)))
    async with serve_reads(fresh_database) as api:
        answer = (await api.get(PLACE)).json()
    assert (answer["taskFunction"]["id"], answer["taskFunction"]["isActive"]) == (77, False)


async def test_path_names_all_methods_that_it_takes(stored: str) -> None:
    async with serve_reads(stored) as api:
        answer = await api.patch(PLACE)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "DELETE, GET, PUT")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        pytest.param(b'{"taskArgs": {"a": "\\u0000"}}', ["body", "taskArgs"], id="NUL inside"),
        pytest.param(b'{"taskArgs": {"\\ud800": 1}}', ["body", "taskArgs"], id="half a surrogate pair"),
        pytest.param(b'{"taskArgs": {"a": NaN}}', ["body", "taskArgs"], id="no number of JSON"),
        pytest.param(b'{"taskArgs": {"a": 1e999}}', ["body", "taskArgs"], id="infinite"),
        pytest.param(
            b'{"scheduleConfig": {"a": "\\u0000"}}', ["body", "scheduleConfig"], id="NUL in a schedule"
        ),
        pytest.param(b'{"name": "a\\u0000b"}', ["body", "name"], id="NUL in a name"),
        pytest.param(b'{"taskFunctionId": 2147483648}', ["body", "taskFunctionId"], id="no 32-bit id"),
        pytest.param(b'{"jobTypeId": 4}', ["body", "jobTypeId"], id="no such type"),
        pytest.param(b'{"maxInstances": "2.5"}', ["body", "maxInstances"], id="text for a fraction"),
        pytest.param(b'{"maxInstances": 1e400}', ["body", "maxInstances"], id="beyond any number"),
        pytest.param(b'{"isEnabled": "yes"}', ["body", "isEnabled"], id="text for a truth"),
    ],
)
async def test_values_that_would_not_survive_are_422(stored: str, body: bytes, place: list[str]) -> None:
    async with serve_reads(stored) as api:
        answer = await api.put(PLACE, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"] == place


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000], ids=["broken", "no UTF-8", "a tower"])
async def test_body_that_is_no_json_is_400(stored: str, body: bytes) -> None:
    async with serve_reads(stored) as api:
        answer = await api.put(PLACE, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, isinstance(answer.json()["detail"], str)) == (400, True)


async def test_function_outside_the_default_namespace_is_named_with_its_own(
    fresh_engine: AsyncEngine, fresh_database: str
) -> None:
    async with fresh_engine.begin() as connection:
        for number, ns in ((2, "default"), (3, "reports")):
            await connection.execute(insert(TaskFunctionRow).values(function_row(number, namespace=ns)))
    async with serve_reads(fresh_database) as api:
        answer = (await api.get("/task-functions")).json()
    assert {one["name"] for one in answer["taskFunctions"]} == {"function_2", "reports/function_3"}


async def test_slots_are_a_page_like_all_others(stored: str) -> None:
    async with serve_reads(stored) as api:
        answer = await api.get(f"{PLACE}/slots?per_page=7&page=2")
    assert answer.json() == {"slots": [], "total": 0}
    names = ("X-Total-Count", "X-Page", "X-Per-Page")
    assert [answer.headers[name] for name in names] == ["0", "2", "7"]
