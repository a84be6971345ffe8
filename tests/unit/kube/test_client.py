"""What the client and the reflector do when nobody answers, or a list expires."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from sundial_core.coordination.leader_record import Timing
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiUnreachable
from sundial_kube.leader_election import Elector, LeaseLock
from sundial_kube.reflector import Reflector
from sundial_kube.resources import JOBS, LEASES
from sundial_kube.store import Store

PAGE = b"<html>try again</html>"
EXPIRED = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'


async def test_a_request_without_an_answer_ends_after_the_seconds_that_were_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silence:
        configuration = Configuration(host=f"http://127.0.0.1:{silence.getsockname()[1]}")
        async with KubeClient(configuration, request_seconds=0.1) as client, asyncio.timeout(10):
            with pytest.raises(ApiUnreachable):
                await client.get(LEASES, "ns", "name")


async def test_a_write_never_goes_on_for_longer_than_the_gate_says() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silence:
        configuration = Configuration(host=f"http://127.0.0.1:{silence.getsockname()[1]}")
        async with KubeClient(configuration, gate=lambda: 0.1) as client, asyncio.timeout(10):
            with pytest.raises(ApiUnreachable):
                await client.create(LEASES, "ns", {})


@asynccontextmanager
async def ask(body: bytes) -> AsyncIterator[KubeClient]:
    """Ask a server that answers everything with that."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    async with (
        TestServer(application) as server,
        KubeClient(Configuration(str(server.make_url("")))) as client,
    ):
        yield client


async def test_an_answer_that_is_no_json_is_none() -> None:
    async with ask(PAGE) as client:
        with pytest.raises(ApiUnreachable, match="no JSON"):
            await client.get(LEASES, "ns", "name")


async def test_a_text_is_read_no_further_than_is_wanted() -> None:
    async with ask(PAGE) as client:
        assert await client.read_text("/x", {}, len(PAGE)) == PAGE
        assert await client.read_text("/x", {}, 6) == PAGE[:6]


async def test_a_text_that_never_ends_is_left() -> None:
    is_left = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 1000)
        finally:
            is_left.set()

    application = web.Application()
    application.router.add_get("/x", answer)
    async with (
        TestServer(application, handler_cancellation=True) as server,
        KubeClient(Configuration(str(server.make_url("")))) as client,
        asyncio.timeout(20),
    ):
        assert len(await client.read_text("/x", {}, 5000)) == 5000
        await is_left.wait()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(EXPIRED, "the list of jobs has expired", id="expired"),
        pytest.param(PAGE + b"\n", "no JSON", id="not of the API server"),
    ],
)
async def test_a_list_that_breaks_is_to_be_tried_again(body: bytes, said: str) -> None:
    store: Store[Any] = Store(dict, lambda *_: None, lambda *_: None)
    async with ask(body) as client:
        with pytest.raises(ApiUnreachable, match=said):
            await Reflector(client, JOBS, store).list_consistently()


async def test_a_watch_that_expires_at_once_is_not_begun_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr("sundial_kube.reflector.asyncio.sleep", pause)
    store: Store[Any] = Store(dict, lambda *_: None, lambda *_: None)
    async with ask(EXPIRED) as client:
        with pytest.raises(asyncio.CancelledError):
            await Reflector(client, JOBS, store).run()
    assert 0.25 <= pauses[0] <= 0.5 <= pauses[1] <= 1 <= pauses[2]


def test_a_replica_whose_elector_fails_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons: list[str] = []
    lock, timing = LeaseLock("ns", "sundial", "one"), Timing(15, 10, 2, 3)
    configuration = Configuration(host="http://127.0.0.1:1")
    elector = Elector(configuration, lock, timing, on_elected=lambda: None, on_lost=reasons.append)
    monkeypatch.setattr("sundial_kube.leader_election.read_boot_clock", lambda: 1 / 0)
    elector.start()
    elector._thread.join(10)
    assert reasons == ["the elector failed: ZeroDivisionError('division by zero')"]
