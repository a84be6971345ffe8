"""How many may listen, what do they cost, and what becomes of one that takes nothing?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.event_streams import Serving, add_job, listen, serve_on_port, write

from sundial_api.events import streams
from sundial_devcluster.polling import until_async


@pytest.fixture
async def serving(fresh_database: str) -> AsyncIterator[Serving]:
    async with serve_on_port(fresh_database) as found:
        yield found


async def test_all_who_listen_cost_one_reading(serving: Serving, fresh_engine: AsyncEngine) -> None:
    read: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_how: Any) -> None:
        read.extend([statement] if "change <=" in statement else [])

    async with AsyncExitStack() as exits:
        heard = [await exits.enter_async_context(listen(serving.url)) for _ in range(20)]
        for stream in heard:
            await stream.read()
        event.listen(serving.application.state.services.engine.sync_engine, "before_cursor_execute", note)
        await add_job(fresh_engine)
        for stream in heard:
            assert [found.event for found in await stream.read_events(1)] == ["job"]
    assert len(read) == 2


async def test_who_takes_nothing_is_cut_off_and_holds_up_nobody(
    serving: Serving, fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "STALLED_SECONDS", 0.5)
    address = httpx.URL(serving.url)
    _, stalled = await asyncio.open_connection(address.host, address.port, limit=1)
    stalled.write(f"GET {address.path}/events HTTP/1.1\r\nHost: api\r\n\r\n".encode())
    await until_async(lambda: count_listeners(serving) == 1)
    async with listen(serving.url) as stream:
        await stream.read()
        sent = 0
        while count_listeners(serving) == 2:
            sent += 1
            await add_job(fresh_engine, sent, task_args={"much": "x" * 1_000_000})
            heard = await stream.read_events(1)
            assert heard[0].data["name"] == f"Job {sent}"
        assert count_listeners(serving) == 1
    stalled.close()


def count_listeners(serving: Serving) -> float | None:
    registry = serving.application.state.registry
    value: float | None = registry.get_sample_value("sundial_api_event_listeners")
    return value


@pytest.mark.parametrize(
    ("settings", "status", "words"),
    [
        pytest.param({"event_listeners_per_caller": 2}, 429, "you follow 2 event streams", id="a caller's"),
        pytest.param({"event_listeners": 2}, 503, "2 event streams are open", id="all"),
    ],
)
async def test_listeners_are_limited_and_a_closed_stream_makes_room(
    fresh_database: str, settings: dict[str, int], status: int, words: str
) -> None:
    async with serve_on_port(fresh_database, settings=settings) as serving:
        async with listen(serving.url) as first, listen(serving.url) as second:
            for stream in (first, second):
                await stream.read()
            async with listen(serving.url) as third:
                answer = third.answer
                detail = json.loads(await answer.aread())["detail"]
            assert (answer.status_code, answer.headers["Retry-After"]) == (status, "30")
            assert words in detail
        await until_async(lambda: count_listeners(serving) == 0)
        async with listen(serving.url) as again:
            assert again.answer.status_code == 200


async def test_a_refusal_after_the_place_was_taken_gives_it_back(
    serving: Serving, fresh_engine: AsyncEngine
) -> None:
    await write(fresh_engine, text("DROP TABLE scheduler_event_log CASCADE"))
    async with listen(serving.url) as stream:
        assert stream.answer.status_code == 503
    await until_async(lambda: count_listeners(serving) == 0)
