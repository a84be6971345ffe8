"""The API on a port of its own, a listener that reads its stream as a client does, and what it hears of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import build_services
from testkit.rows import execution_row, job_row

from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobRow
from sundial_api.main import PREFIX
from sundial_devcluster.polling import until_async

PATIENCE_SECONDS = 30


class Server(uvicorn.Server):
    """A server on a port of its own that the test ends."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}"


@dataclass(frozen=True)
class Serving:
    """A served application and where it is."""

    application: FastAPI
    url: str


@asynccontextmanager
async def serve_on_port(database: str, **how: Any) -> AsyncIterator[Serving]:
    """Serve the API without a mirror; `how` replaces parts of it."""
    async with build_services(database, **how) as application:
        config = uvicorn.Config(
            application, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=1
        )
        server = Server(config)
        serving = asyncio.create_task(server.serve())
        await until_async(lambda: server.started)
        yield Serving(application, f"{server.url}{PREFIX}")
        server.should_exit = True
        await serving


@dataclass
class StreamEvent:
    """What stands between two empty lines of a stream."""

    event: str = ""
    id: str = ""
    retry: str = ""
    data: Any = None
    comments: list[str] = field(default_factory=list)


class Stream:
    """An open stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def read(self) -> StreamEvent:
        """Read the next block; raises StopAsyncIteration at the end."""
        found = StreamEvent()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := await anext(self._lines):
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if not name:
                    found.comments.append(value)
                else:
                    setattr(found, name, json.loads(value) if name == "data" else value)
        return found

    async def read_events(self, count: int) -> list[StreamEvent]:
        """Read so many events, whatever is between them."""
        events: list[StreamEvent] = []
        while len(events) < count:
            found = await self.read()
            events += [found] if found.data is not None else []
        return events

    async def read_to_end(self) -> list[StreamEvent]:
        """Read all that comes until the stream ends."""
        found = []
        try:
            while True:
                found.append(await self.read())
        except StopAsyncIteration:
            return found


@asynccontextmanager
async def listen(url: str, last_event_id: str | None = None, **query: str) -> AsyncIterator[Stream]:
    """Open a stream, from behind an event if one is named; `token` is sent as a header."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    if token := query.pop("token", None):
        headers["Authorization"] = f"Bearer {token}"
    async with (
        httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http,
        http.stream("GET", f"{url}/events", headers=headers, params=query) as answer,
    ):
        yield Stream(answer)


async def write(engine: AsyncEngine, *statements: Any) -> None:
    """Commit statements in one transaction."""
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(statement)


async def add_job(engine: AsyncEngine, number: int = 1, **changes: Any) -> None:
    """Commit a job."""
    await write(engine, insert(ScheduledJobRow).values(job_row(number, **changes)))


async def add_run(engine: AsyncEngine, number: int = 1, **changes: Any) -> None:
    """Commit an execution."""
    await write(engine, insert(ScheduledJobExecution).values(execution_row(number, **changes)))
