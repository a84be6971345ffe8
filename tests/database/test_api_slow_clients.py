"""What of clients that are slow or many? They are cut off or refused, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn
from prometheus_client import generate_latest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import build_services
from testkit.rows import function_row, job_row

from sundial_api.auth.access import Action, AllowAll
from sundial_api.auth.tokens import Caller
from sundial_api.db.tables import ScheduledJobRow, TaskFunctionRow
from sundial_api.http.connections import ConnectionLimits, build_protocol
from sundial_api.main import PREFIX, read_limits
from sundial_api.settings import ApiSettings
from sundial_devcluster.polling import until_async

QUICK = ConnectionLimits(most=50, head_seconds=0.5, body_seconds=1.0, reader_seconds=0.5)
PATIENT = ConnectionLimits(most=50, head_seconds=60, body_seconds=60, reader_seconds=60)
"""For what is not about slow clients: on a busy machine everybody is one."""
HEAD = f"GET {PREFIX}/job-types HTTP/1.1\r\nHost: api\r\nX-Filler: ".encode()
POST = f"POST {PREFIX}/preview HTTP/1.1\r\nHost: api\r\nContent-Length: 900000\r\n\r\n".encode()
HUGE = {"text": "x" * 50_000}
Connect = Callable[[], Any]


class Site:
    """A running server, and raw connections to it."""

    def __init__(self, port: int, application: Any) -> None:
        self.port, self.application = port, application
        self.writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**16)
        self.writers.append(writer)
        return reader, writer

    async def ask(self, path: str, **how: Any) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as client:
            return await client.get(path, **how)


@asynccontextmanager
async def serve(database: str, limits: ConnectionLimits = QUICK, **how: Any) -> AsyncIterator[Site]:
    async with build_services(database, **how) as application:
        own = uvicorn.Config(
            application,
            port=0,
            lifespan="off",
            log_config=None,
            http=build_protocol(limits),
            ws="none",
            timeout_keep_alive=60,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(own)
        listening = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await until_async(lambda: server.started)
        site = Site(listening.getsockname()[1], application)
        try:
            yield site
        finally:
            for writer in site.writers:
                writer.transport.abort()
            server.should_exit = True
            await serving
            listening.close()


async def drip(writer: asyncio.StreamWriter, reader: asyncio.StreamReader) -> bytes:
    """Send a byte now and then until the connection ends; returns what came back."""
    answer = asyncio.create_task(read_to_end(reader))
    while not answer.done():
        writer.write(b"x")
        await asyncio.wait([answer], timeout=0.05)
    return answer.result()


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    """Read until the end of the connection, which is a reset where the server has left a byte unread."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := await reader.read(65_536):
            parts.append(part)
    return b"".join(parts)


async def test_who_sends_a_head_byte_by_byte_is_cut_off_and_others_are_served(fresh_database: str) -> None:
    async with serve(fresh_database) as site:
        reader, writer = await site.connect()
        writer.write(HEAD)
        dripping = asyncio.create_task(drip(writer, reader))
        assert (await site.ask(f"{PREFIX}/job-types")).status_code == 200
        answer = await asyncio.wait_for(dripping, 30)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nconnection: close\r\n" in answer
    assert "few seconds" in json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]


@pytest.mark.parametrize("path", ["/preview", "/settings"])
async def test_a_request_of_two_lengths_is_refused_and_its_connection_closed(
    fresh_database: str, path: str
) -> None:
    async with serve(fresh_database) as site:
        reader, writer = await site.connect()
        head = f"POST {PREFIX}{path} HTTP/1.1\r\nHost: api\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"
        writer.write(f"{head}\r\n\r\n0\r\n\r\nGET {PREFIX}/settings HTTP/1.1\r\nHost: api\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 30)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_who_sends_nothing_is_cut_off(fresh_database: str) -> None:
    async with serve(fresh_database) as site:
        reader, _ = await site.connect()
        assert await asyncio.wait_for(reader.read(), 30) == b""


async def test_the_second_head_of_a_connection_counts_from_its_first_byte(fresh_database: str) -> None:
    async with serve(fresh_database) as site:
        reader, writer = await site.connect()
        writer.write(HEAD + b"x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        writer.write(HEAD)
        assert b"HTTP/1.1 408 " in await asyncio.wait_for(drip(writer, reader), 30)


async def test_who_sends_a_body_byte_by_byte_gets_408_and_holds_no_place(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUNDIAL_API_BODY_SECONDS", "0.5")
    monkeypatch.setenv("SUNDIAL_API_REQUESTS_AT_WORK", "1")
    async with serve(fresh_database, replace(QUICK, body_seconds=60)) as site:
        reader, writer = await site.connect()
        writer.write(POST)
        dripping = asyncio.create_task(drip(writer, reader))
        assert (await site.ask(f"{PREFIX}/job-types")).status_code == 200
        answer = await asyncio.wait_for(dripping, 30)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert "within 0.5 seconds" in json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]


async def test_a_body_that_nobody_reads_holds_its_connection_no_longer(fresh_database: str) -> None:
    async with serve(fresh_database) as site:
        reader, writer = await site.connect()
        writer.write(POST.replace(b"900000", b"9000000"))
        assert b"HTTP/1.1 413 " in await asyncio.wait_for(drip(writer, reader), 30)


async def test_who_does_not_read_an_answer_is_cut_off(fresh_engine: AsyncEngine, fresh_database: str) -> None:
    async with fresh_engine.begin() as connection:
        await connection.execute(insert(TaskFunctionRow).values(function_row(2)))
        for number in range(200):
            row = job_row(number, task_function_id=2, task_args=HUGE)
            await connection.execute(insert(ScheduledJobRow).values(row))
    async with serve(fresh_database) as site:
        _, writer = await site.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        request = HEAD.replace(b"/job-types", b"/jobs?per_page=100")
        writer.write((request + b"x\r\n\r\n") * 20)
        with pytest.raises(ConnectionResetError):
            await until_closed(writer)


async def until_closed(writer: asyncio.StreamWriter) -> None:
    """Write until the other side has gone."""

    async def try_write() -> bool:
        writer.write(b"\r\n")
        await writer.drain()
        return False

    await until_async(try_write)


async def test_a_new_connection_ends_the_idlest_and_none_at_work(fresh_database: str) -> None:
    access = Slow()
    limits = replace(QUICK, most=3, head_seconds=60)
    async with serve(fresh_database, limits, access=access) as site:
        working = asyncio.create_task(site.ask(f"{PREFIX}/jobs"))
        await access.is_asked.wait()
        connections = [await site.connect() for _ in range(2)]
        await site.connect()
        assert await asyncio.wait_for(connections[0][0].read(), 30) == b""
        assert (await site.ask("/livez")).status_code == 200
        access.may_go_on.set()
        assert (await working).status_code == 200


class Slow(AllowAll):
    """Permits everything, as soon as the test says so."""

    def __init__(self) -> None:
        self.is_asked, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def require(self, caller: Caller, action: Action) -> None:  # noqa: ARG002
        self.is_asked.set()
        await self.may_go_on.wait()


async def test_one_request_too_many_is_503_and_probes_and_streams_are_none(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUNDIAL_API_REQUESTS_AT_WORK", "1")
    access = Slow()
    async with serve(fresh_database, PATIENT, access=access) as site:
        reader, writer = await site.connect()
        access.may_go_on.set()
        writer.write(f"GET {PREFIX}/events HTTP/1.1\r\nHost: api\r\n\r\n".encode())
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"id: "), 30)
        access.may_go_on.clear()
        access.is_asked.clear()
        working = asyncio.create_task(site.ask(f"{PREFIX}/jobs"))
        await access.is_asked.wait()
        refused = await site.ask(f"{PREFIX}/job-types")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert "too many requests" in refused.json()["detail"]
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await site.ask(path)).status_code == 200, path
        assert b"sundial_api_requests_at_work 1.0" in generate_latest(site.application.state.registry)
        access.may_go_on.set()
        assert (await working).status_code == 200
        assert (await site.ask(f"{PREFIX}/job-types")).status_code == 200


async def test_methods_that_nobody_knows_are_one_in_the_metrics(fresh_database: str) -> None:
    async with serve(fresh_database, PATIENT) as site:
        for number in range(5):
            reader, writer = await site.connect()
            writer.write(f"BREW{number} /livez HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n".encode())
            assert b" 405 " in await reader.read()
        text = (await site.ask("/metrics")).text
    assert 'method="unknown"' in text
    assert "BREW" not in text


def test_the_command_has_these_limits() -> None:
    settings = ApiSettings(database_url="x", connections=20, head_seconds=3, body_seconds=4)
    assert read_limits(settings) == ConnectionLimits(20, 3, 9)
