"""Who has how many of a process' database connections? An account half of them at most: others get one.

What runs for nobody, such as the mirror, is not limited.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sundial_api.http.accounts import find_current_account
from sundial_kube.deadline import compute_remaining


class ConnectionShares:
    """Lets each account have so many connections at a time; the others of its requests wait for these."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._places: dict[Hashable, asyncio.Semaphore] = {}
        self._waiting: Counter[Hashable] = Counter()

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Wait for a place until the deadline; raises SQLAlchemy's TimeoutError."""
        account = find_current_account()
        if account is None:
            yield
            return
        places = self._places.setdefault(account, asyncio.Semaphore(self._most))
        self._waiting[account] += 1
        try:
            await _acquire(places)
            try:
                yield
            finally:
                places.release()
        finally:
            self._waiting[account] -= 1
            if not self._waiting[account]:
                del self._places[account], self._waiting[account]


async def _acquire(places: asyncio.Semaphore) -> None:
    left = compute_remaining()
    try:
        async with asyncio.timeout(left if left < math.inf else None):
            await places.acquire()
    except TimeoutError:
        raise PoolTimeout("all connections of an account are in use") from None


class SharedEngine(AsyncEngine):
    """A pool of connections that accounts share; a connection of `connect` is nobody's."""

    def __init__(self, sync_engine: Engine, shares: ConnectionShares) -> None:
        super().__init__(sync_engine)
        self._shares = shares

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Take a connection, in a transaction."""
        async with self._shares.take(), super().begin() as connection:
            yield connection
