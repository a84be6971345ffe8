"""Event streams: what changes arrives in order, and who comes back misses nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import build_services
from testkit.rows import (
    execution_row,
    job_row,
    numbered,
    running_row,
)

from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobRow
from sundial_api.events.repository import list_changed
from sundial_api.events.schemas import order_changes
from sundial_devcluster.polling import until_async

Event = tuple[str, str, str]


class Server(uvicorn.Server):
    """A server on a port of its own that the test ends."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}"


@pytest.fixture
async def url(fresh_database: str) -> AsyncIterator[str]:
    async with build_services(fresh_database) as application:
        server = Server(uvicorn.Config(application, port=0, lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve())
        await until_async(lambda: server.started)
        yield f"{server.url}/api/v1/scheduler"
        server.should_exit = True
        await serving


async def listen(url: str, count: int, **headers: str) -> list[Event]:
    """Read so many events: their names, ids and the ids of what changed."""
    events: list[Event] = []
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        asyncio.timeout(20),
        httpx.AsyncClient() as http,
        http.stream("GET", f"{url}/events", headers=named) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
            elif "data" in fields:
                data = json.loads(fields["data"])
                assert not [name for name in data if "_" in name]
                events.append((fields["event"], fields["id"], data["id"]))
                fields = {}
            if len(events) == count:
                return events
    raise AssertionError("the stream ended")


async def write(engine: AsyncEngine, statement: Any) -> None:
    async with engine.begin() as connection:
        await connection.execute(statement)


async def test_changes_are_numbered_in_the_order_of_their_commits(fresh_engine: AsyncEngine) -> None:
    await write(fresh_engine, insert(ScheduledJobRow).values(job_row(1)))
    await write(fresh_engine, insert(ScheduledJobExecution).values(running_row(1)))
    await write(fresh_engine, update(ScheduledJobRow).values(active_count=1))
    async with fresh_engine.connect() as connection:
        changes = order_changes(await list_changed(connection, 0, None))
        assert [change.event for change in changes] == ["execution", "job"]
        for after, ns in ((changes[-1].number, None), (0, "elsewhere")):
            assert not order_changes(await list_changed(connection, after, ns))


async def test_who_comes_back_gets_what_has_changed_meanwhile(url: str, fresh_engine: AsyncEngine) -> None:
    await write(fresh_engine, insert(ScheduledJobRow).values(job_row(1)))
    await write(fresh_engine, insert(ScheduledJobExecution).values(execution_row(1)))
    first, second = await listen(url, 2, Last_Event_ID="0")
    assert [first[0], second[0]] == ["job", "execution"]
    assert await listen(url, 1, Last_Event_ID=first[1]) == [second]


async def test_listener_hears_of_a_change(url: str, fresh_engine: AsyncEngine) -> None:
    await write(fresh_engine, insert(ScheduledJobRow).values(job_row(1)))
    heard = asyncio.create_task(listen(url, 1))
    while not heard.done():
        await write(
            fresh_engine, update(ScheduledJobRow).values(active_count=ScheduledJobRow.active_count + 1)
        )
        await asyncio.wait([heard], timeout=0.2)
    assert [(name, key) for name, _, key in heard.result()] == [("job", str(numbered(1)))]


async def test_probes_and_metrics_are_open(url: str) -> None:
    root = url.removesuffix("/api/v1/scheduler")
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{root}/livez")).text == "ok\n"
        assert (await http.get(f"{root}/readyz")).json() == {"database": "ok", "mirror": "standing by"}
        await http.get(f"{url}/jobs")
        assert 'route="/jobs",status="200"' in (await http.get(f"{root}/metrics")).text
