"""Every write to the API server: bounded, starts first."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from enum import IntEnum
from functools import partial

import structlog

log = structlog.get_logger()

Action = Callable[[], Awaitable[None]]


class Priority(IntEnum):
    """Which writes go first: lower ones wait while any higher one is ready."""

    START = 0
    STATUS = 1
    DELETE = 2
    EVENT = 3


class Writer:
    """Runs actions with at most `limit` under way, of other priorities than starts at most an eighth.

    An action handles its own errors; one that does not is logged and harms nothing else.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._limit_of_others = max(1, limit // 8)
        self._ready: list[tuple[Priority, int, Action]] = []
        self._submitted = 0
        self._running: set[asyncio.Task[None]] = set()
        self._running_others = 0

    def __len__(self) -> int:
        return len(self._ready) + len(self._running)

    def submit(self, priority: Priority, action: Action) -> None:
        """Queue an action; it starts when its turn comes."""
        self._submitted += 1
        heapq.heappush(self._ready, (priority, self._submitted, action))
        self._pump()

    @property
    def has_starts_waiting(self) -> bool:
        """Tell whether a start waits for its turn."""
        return bool(self._ready) and self._ready[0][0] is Priority.START

    async def drain(self, seconds: float) -> None:
        """Drop what has not begun, and wait for what has."""
        self._ready.clear()
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    def _pump(self) -> None:
        while self._ready and len(self._running) < self._limit:
            priority = self._ready[0][0]
            if priority is not Priority.START and self._running_others >= self._limit_of_others:
                return
            _, _, action = heapq.heappop(self._ready)
            self._running_others += priority is not Priority.START
            task = asyncio.get_running_loop().create_task(self._run(action))
            self._running.add(task)
            task.add_done_callback(partial(self._finish, priority))

    async def _run(self, action: Action) -> None:
        try:
            await action()
        except Exception:
            log.exception("a write failed in an unforeseen way")

    def _finish(self, priority: Priority, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._running_others -= priority is not Priority.START
        self._pump()
