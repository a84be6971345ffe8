"""When to reconcile, create or write what: one heap of due instants for everything, one timer."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sundial_operator.clock import read_clock

MAX_SLEEP_SECONDS = 1.0
"""The timer runs on the monotonic clock; looking again this often follows a wall clock that is set."""

SPARE_ENTRIES = 1000
"""How many replaced entries the heap may hold, beyond one for each that counts."""


class Task(StrEnum):
    """What an entry of the queue is about."""

    RECONCILE = "reconcile"
    CREATE = "create"
    STATUS = "status"
    REQUEST_STATUS = "status of a ScheduledJobRun"


class QueueKey(NamedTuple):
    """An entry of the queue: a task for one object; a create also names its run."""

    task: Task
    uid: str
    run_id: str = ""


class DelayQueue:
    """Keys with the instant at which each is due; a key has at most one."""

    def __init__(self) -> None:
        self._actions: dict[Task, Callable[[QueueKey], None]] = {}
        self._due: dict[QueueKey, datetime] = {}
        self._heap: list[tuple[datetime, int, QueueKey]] = []
        self._entries = 0
        self._changed = asyncio.Event()

    def on(self, task: Task, action: Callable[[QueueKey], None]) -> None:
        """Say what is done when a key of a task is due."""
        self._actions[task] = action

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: QueueKey) -> bool:
        return key in self._due

    def set(self, key: QueueKey, due: datetime | None) -> None:
        """Set when a key is due, or that it never is."""
        if due is None:
            self._due.pop(key, None)
        elif self._due.get(key) != due:
            self._due[key] = due
            self._entries += 1
            if len(self._heap) > SPARE_ENTRIES + 2 * len(self._due):
                self._compact()
            heapq.heappush(self._heap, (due, self._entries, key))
            if self._heap[0][2] == key:
                self._changed.set()

    def _compact(self) -> None:
        """Drop the entries that were replaced: of far instants they would pile up."""
        newest = {entry[2]: entry for entry in self._heap if self._due.get(entry[2]) == entry[0]}
        self._heap = list(newest.values())
        heapq.heapify(self._heap)

    def advance(self, key: QueueKey, due: datetime) -> None:
        """Set when a key is due unless it is due earlier already."""
        known = self._due.get(key)
        if known is None or due < known:
            self.set(key, due)

    async def run(self) -> None:
        """Act on each key when it is due, never before, for ever."""
        while True:
            self._changed.clear()
            delay = self._act_on_due()
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):  # wait_for can swallow a cancellation until Python 3.12
                    await self._changed.wait()

    def _act_on_due(self) -> float:
        """Act on what is due; return the seconds until the next key is due."""
        now = read_clock()
        while self._heap:
            due, _, key = self._heap[0]
            if self._due.get(key) != due:
                heapq.heappop(self._heap)
            elif due <= now:
                heapq.heappop(self._heap)
                del self._due[key]
                self._actions[key.task](key)
            else:
                return min(MAX_SLEEP_SECONDS, (due - now).total_seconds())
        return MAX_SLEEP_SECONDS
