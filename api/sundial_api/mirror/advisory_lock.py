"""Which mirror is active? The one whose database session holds the advisory lock; it writes on that session.

A session that ends takes lock and writes along, so an active mirror cannot go on without knowing. One that
hangs is ended by Postgres. Two at once would end each other's sessions. What it commits survives a crash of
the database, even where that commits asynchronously: the operator deletes Jobs that it says are committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

ACTIVE_LOCK = 0x53_75_6E_4D_69_72_61
"""The advisory lock of the session that mirrors."""

RETRY_SECONDS = 1.0
MAX_SILENCE_SECONDS = 60
"""After so long without a statement Postgres ends the session of a mirror that hangs."""

_LIMITS = (
    "SET lock_timeout = '30s'",
    "SET statement_timeout = '60s'",
    f"SET idle_session_timeout = '{MAX_SILENCE_SECONDS}s'",
    "SET idle_in_transaction_session_timeout = '5s'",
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'"
    " ELSE current_setting('synchronous_commit') END, false)",
)
_TAKE = text("SELECT pg_try_advisory_lock(:key)")


@asynccontextmanager
async def hold_leadership(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Wait until no other mirror is active, then be it; raises SQLAlchemyError."""
    connection = await engine.connect()
    try:
        async with connection.begin():
            for limit in _LIMITS:
                await connection.execute(text(limit))
        while not await _take(connection):  # noqa: ASYNC110
            await asyncio.sleep(RETRY_SECONDS)
        yield connection
    finally:
        await connection.invalidate()
        await connection.close()


async def _take(connection: AsyncConnection) -> bool:
    async with connection.begin():
        return bool(await connection.scalar(_TAKE, {"key": ACTIVE_LOCK}))
