"""How long is waited for the database? Not longer than the deadline that holds, and never for ever.

The server's own time-outs end what a server does that is alive; of one that is frozen, or behind a network
that loses everything, nothing is ever heard. A connection that did not answer is closed at once.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util.queue import AsyncAdaptedQueue

from sundial_api.database_errors import DatabaseSilent
from sundial_kube.deadline import compute_remaining

RV = TypeVar("RV")

LONGEST_SECONDS = 70.0
"""A server that is alive ends each statement of ours sooner, those of the mirror after 60 s."""


def keep_others(context: ExceptionContext) -> None:
    """Keep the other connections of a pool when one was closed because its deadline came."""
    if isinstance(context.original_exception, DatabaseSilent):
        context.invalidate_pool_on_disconnect = False


class DeadlineConnection(psycopg.AsyncConnection[Any]):
    """A connection whose every wait ends by the deadline."""

    async def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer; raises OperationalError when there is none in time."""
        left = min(compute_remaining(), LONGEST_SECONDS)
        if timeout is not None and timeout <= left:
            return await super().wait(gen, interval, timeout)
        try:
            return await super().wait(gen, interval, left)
        except errors._WaitTimeout:
            self.pgconn.finish()
            raise DatabaseSilent from None


async def connect(*arguments: Any, **named: Any) -> DeadlineConnection:
    """Connect before the deadline; raises OperationalError."""
    left = compute_remaining()
    try:
        async with asyncio.timeout(left if left < math.inf else None):
            return await DeadlineConnection.connect(*arguments, **named)
    except TimeoutError:
        raise DatabaseSilent from None


class DeadlineQueue(AsyncAdaptedQueue[Any]):
    """Where requests wait for a free connection, until their deadline."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002 - as it is there
        """Wait for a free connection."""
        return super().get(block, timeout if timeout is None else min(timeout, compute_remaining()))


class DeadlinePool(AsyncAdaptedQueuePool):
    """A pool of connections in which nobody waits for longer than its deadline."""

    _queue_class = DeadlineQueue
