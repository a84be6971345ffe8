"""Does the database answer? Asked on a connection of its own: a pool in full use is no outage."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from sundial_api.db.fetch import ping

ANSWER_SECONDS = 2.0
"""How long an answer is waited for: a frozen server gives none, and Kubernetes' own probes give up soon."""


class DatabaseProbe:
    """Asks once at a time, whoever wants to know; a question without an answer stays the only one."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._asking: asyncio.Task[None] | None = None

    async def is_answering(self) -> bool:
        """Tell whether the database answers within ANSWER_SECONDS."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(ping(self._engine), name="ping")
        done, _ = await asyncio.wait({self._asking}, timeout=ANSWER_SECONDS)
        return bool(done) and not self._asking.cancelled() and self._asking.exception() is None

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
        await self._engine.dispose()
