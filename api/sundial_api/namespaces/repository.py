"""In which namespaces does the database have jobs, deleted ones included, or task functions?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

MAX_NAMESPACES = 10_000
"""How many are known at most, by name: what a caller may list is asked about one by one."""
FRESH_SECONDS = 10.0

LIST_NAMESPACES = text("""
WITH RECURSIVE live (namespace) AS (
    (SELECT namespace FROM scheduled_jobs WHERE deleted_at IS NULL ORDER BY namespace LIMIT 1)
    UNION ALL
    SELECT (
        SELECT jobs.namespace FROM scheduled_jobs jobs
        WHERE jobs.deleted_at IS NULL AND jobs.namespace > live.namespace ORDER BY jobs.namespace LIMIT 1
    ) FROM live WHERE live.namespace IS NOT NULL
)
SELECT namespace FROM live WHERE namespace IS NOT NULL
UNION SELECT namespace FROM scheduled_jobs WHERE deleted_at IS NOT NULL
UNION SELECT namespace FROM task_functions WHERE deleted_at IS NULL AND namespace <> ''
ORDER BY namespace LIMIT :most
""")


async def list_namespaces(connection: AsyncConnection) -> tuple[str, ...]:
    """List them by name; those of live jobs are found one by one in an index, however many jobs there are."""
    return tuple(await connection.scalars(LIST_NAMESPACES, {"most": MAX_NAMESPACES}))


class KnownNamespaces:
    """Lists them for all callers, on one connection at a time, and anew after a moment."""

    def __init__(self, engine: AsyncEngine, read_clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._read_clock = read_clock
        self._reading = asyncio.Lock()
        self._listed: tuple[str, ...] = ()
        self._listed_at = float("-inf")

    async def list(self) -> tuple[str, ...]:
        """List them as they were a moment ago; raises SQLAlchemyError while the database is away."""
        async with self._reading:
            now = self._read_clock()
            if now - self._listed_at >= FRESH_SECONDS:
                async with self._engine.connect() as connection:
                    self._listed = await list_namespaces(connection)
                self._listed_at = now
            return self._listed
