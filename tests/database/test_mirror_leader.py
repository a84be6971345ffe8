"""One mirror is active: its session has the lock, and loses it with everything else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sundial_api.mirror.advisory_lock import MAX_SILENCE_SECONDS, hold_leadership
from sundial_devcluster.polling import until_async


class Campaign:
    """Somebody who wants to be the active mirror."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._done = asyncio.Event()
        self.connection: AsyncConnection | None = None
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with hold_leadership(self._engine) as self.connection:
            await self._done.wait()

    async def is_active(self) -> bool:
        return self.connection is not None

    async def end(self) -> None:
        self._done.set()
        await self.task


@pytest.fixture
async def rivals(fresh_engine: AsyncEngine) -> AsyncIterator[tuple[Campaign, Campaign]]:
    """Give two campaigns, of which the first is active."""
    first = Campaign(fresh_engine)
    await until_async(first.is_active)
    second = Campaign(fresh_engine)
    async with AsyncExitStack() as exits:
        for campaign in (second, first):
            exits.push_async_callback(campaign.end)
        yield first, second


async def ask(connection: AsyncConnection | None, statement: str) -> object:
    assert connection is not None
    async with connection.begin():
        return await connection.scalar(text(statement))


async def test_the_second_waits_for_the_first_to_end(rivals: tuple[Campaign, Campaign]) -> None:
    first, second = rivals
    assert not await second.is_active()
    await first.end()
    await until_async(second.is_active)


async def test_who_loses_the_session_can_write_no_more(
    rivals: tuple[Campaign, Campaign], fresh_engine: AsyncEngine
) -> None:
    first, second = rivals
    pid = await ask(first.connection, "SELECT pg_backend_pid()")
    async with fresh_engine.connect() as other:
        await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    await until_async(second.is_active)
    with pytest.raises(DBAPIError):
        await ask(first.connection, "SELECT 1")


async def test_a_session_that_is_silent_is_ended_by_the_server(rivals: tuple[Campaign, Campaign]) -> None:
    seconds = "SELECT extract(epoch FROM CAST(current_setting('idle_session_timeout') AS interval))"
    assert await ask(rivals[0].connection, seconds) == MAX_SILENCE_SECONDS
    assert await ask(rivals[0].connection, "SHOW idle_in_transaction_session_timeout") == "5s"
