"""When an operator is alive, and when it is ready, as far as its watches tell."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest

from sundial_operator import health
from sundial_operator.health import MAX_CONNECTIONS, Check, Health, HealthServer, check_loops, check_news
from sundial_operator.metrics import Metrics

LOOPBACK = "127.0.0.1"
HALF = b"GET /livez HTTP/1.1\r\nHost: "


@dataclass
class Watch:
    """A watch that was last heard, and last stirred, at these times."""

    heard_at: float
    stirred_at: float
    plural: str = "jobs"


RUNS = Watch(990, 990, "pods")


@pytest.mark.parametrize(
    ("watch", "is_alive", "is_ready"),
    [
        pytest.param(Watch(999, 999), True, True, id="it hears"),
        pytest.param(Watch(701, 999), True, True, id="it has not heard for a while"),
        pytest.param(Watch(700, 999), True, False, id="its attempts fail: nothing that a restart mends"),
        pytest.param(Watch(690, 701), True, False, id="its attempts take long"),
        pytest.param(Watch(700, 700), False, False, id="it stands still"),
    ],
)
def test_what_a_watch_says_of_the_process(watch: Watch, *, is_alive: bool, is_ready: bool) -> None:
    watches = [RUNS, watch, RUNS]
    assert (check_loops(watches, 1000).ok, check_news(watches, 1000).ok) == (is_alive, is_ready)


def test_the_watch_that_is_silent_is_named() -> None:
    assert check_news([RUNS, Watch(600, 999)], 1000) == Check(False, "nothing was heard of jobs for 400 s")


def test_before_the_first_list_there_is_nothing_to_complain_of() -> None:
    assert (check_loops([], 1000).ok, check_news([], 1000).ok) == (True, True)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Give the port of a server of a process that is starting."""
    server = HealthServer(Metrics(), Health())
    yield await server.start(LOOPBACK, 0)
    await server.stop()


async def ask(port: int, path: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.request(method, f"http://{LOOPBACK}:{port}{path}")


def connect(exits: ExitStack, port: int) -> socket.socket:
    """Open a connection that sends half of a request."""
    connection = exits.enter_context(socket.create_connection((LOOPBACK, port), timeout=20))
    connection.sendall(HALF)
    return connection


async def is_ended(connection: socket.socket) -> bool:
    try:
        return await asyncio.to_thread(connection.recv, 1) == b""
    except ConnectionResetError:
        return True


async def test_what_is_asked_is_answered_and_all_else_says_what_there_is(port: int) -> None:
    assert (await ask(port, "/livez")).status_code == 200
    assert (await ask(port, "/readyz")).text == "[-] operator: starting\n"
    assert "sundial_" in (await ask(port, "/metrics")).text
    assert (await ask(port, "/livez", "POST")).status_code == 405
    unknown = await ask(port, "/healthz")
    assert (unknown.status_code, unknown.text) == (404, "ask for one of /livez, /readyz, /metrics\n")


async def test_connections_that_ask_for_nothing_make_room(port: int) -> None:
    with ExitStack() as exits:
        idle = [connect(exits, port) for _ in range(MAX_CONNECTIONS)]
        assert (await ask(port, "/livez")).status_code == 200
        assert await is_ended(idle[0])
        idle[-1].sendall(b"api\r\n\r\n")
        assert await asyncio.to_thread(idle[-1].recv, 12) == b"HTTP/1.1 200"


async def test_a_connection_is_ended_before_its_request_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CONNECTION_SECONDS", 0.1)
    server = HealthServer(Metrics(), Health())
    with ExitStack() as exits:
        assert await is_ended(connect(exits, await server.start(LOOPBACK, 0)))
    await server.stop()
