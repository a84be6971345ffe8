"""Up to when has the mirror read the cluster? One reader a process asks the database, once a second."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from sundial_api.db.mirror_tables import MirrorState

PERIOD_SECONDS = 1.0


class MirroredUntil:
    """Knows what the active mirror, of any replica, has committed; without a database, what it knew last."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.instant: datetime | None = None

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            with suppress(SQLAlchemyError, OSError):
                self.instant = await self._read()
            await asyncio.sleep(PERIOD_SECONDS)

    async def _read(self) -> datetime | None:
        async with self._engine.connect() as connection:
            instant: datetime | None = await connection.scalar(select(MirrorState.mirrored_until))
            return instant
