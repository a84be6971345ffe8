"""Is there anything new? One reader a process asks the database, however many callers listen."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from sundial_api.events.repository import read_newest

PERIOD_SECONDS = 0.5


class Newest:
    """Knows the number of the newest change, asked for once for all listeners."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._changed = asyncio.Condition()
        self.number = 0

    async def run(self) -> None:
        """Ask for ever; while the database is away nothing is new."""
        while True:
            with suppress(SQLAlchemyError):
                number = await self._read()
                async with self._changed:
                    self.number = number
                    self._changed.notify_all()
            await asyncio.sleep(PERIOD_SECONDS)

    async def pass_by(self, number: int) -> None:
        """Wait until there is a newer change than that."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.number > number)

    async def _read(self) -> int:
        async with self._engine.connect() as connection:
            return await read_newest(connection)
