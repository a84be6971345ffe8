"""Does the database answer, with our tables? Asked on a connection of its own: a full pool is no outage."""

from __future__ import annotations

import asyncio

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from sundial_api.database_errors import UPGRADE, is_outdated
from sundial_api.db.columns import VERSION_TABLE
from sundial_api.db.migrations import list_revisions
from sundial_kube.deadline import within

ANSWER_SECONDS = 2.0
"""How long an answer is waited for: a frozen server gives none, and Kubernetes' own probes give up soon."""

AWAY = "away"
READ_REVISION = text(f"SELECT version_num FROM {VERSION_TABLE}")


class DatabaseProbe:
    """Asks once at a time, whoever wants to know; a question without an answer stays the only one."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._asking: asyncio.Task[str | None] | None = None
        self._revisions = list_revisions()
        self.has_answered = False
        """Whether it has been there with our tables since this process began."""

    async def find_problem(self) -> str | None:
        """Say why nothing can be answered: `away` after ANSWER_SECONDS of silence, or old tables."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="ping")
        done, _ = await asyncio.wait({self._asking}, timeout=ANSWER_SECONDS)
        is_answered = bool(done) and not self._asking.cancelled() and self._asking.exception() is None
        if not is_answered:
            return AWAY
        problem = self._judge(self._asking.result())
        self.has_answered = self.has_answered or problem is None
        return problem

    async def _ask(self) -> str | None:
        """Ask which migration the database is at; None before the first."""
        with within(ANSWER_SECONDS):
            try:
                async with self._engine.connect() as connection:
                    revision: str | None = await connection.scalar(READ_REVISION)
                    return revision
            except DBAPIError as error:
                if is_outdated(error):
                    return None
                raise

    def _judge(self, revision: str | None) -> str | None:
        """Say what is to be done about a migration; one that is not known here is a newer release's."""
        newest = self._revisions[0]
        if revision == newest or (revision is not None and revision not in self._revisions):
            return None
        return f"at {revision or 'no migration'}, this release needs {newest}: {UPGRADE}"

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
        await self._engine.dispose()
