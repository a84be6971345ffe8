"""Every write to the API server: bounded, and in turn by namespace, as `lanes` has the rule.

Starts have `limit` places. Statuses, endings and reads have an eighth as many of their own, in which they go
before Events, and deletes a quarter: what is not deleted piles up, and makes all that lists it slower.
With those that hang, at most MAX_TIMES `limit` starts are under way, as many of these, and `limit` deletes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import IntEnum
from functools import partial

import structlog

from sundial_operator.outputs.lanes import Lanes, LaneTurn, Reply

log = structlog.get_logger()

Write = Callable[[], Awaitable[Reply | None]]
"""None as its result means that the API server answered."""

MAX_TIMES = 4
TICK_SECONDS = 0.05
"""How often it is looked for how long writes have been under way."""


class Priority(IntEnum):
    """What a write is about; statuses go before Events, and starts and deletes have places of their own."""

    START = 0
    STATUS = 1
    DELETE = 2
    EVENT = 3


class WriteQueue:
    """Runs actions, each in the lane of its namespace.

    An action handles its own errors; one that does not is logged and harms nothing else.
    """

    def __init__(self, limit: int) -> None:
        most = MAX_TIMES * limit
        self._starts: Lanes[Write] = Lanes(limit, most, 1)
        self._statuses: Lanes[Write] = Lanes(max(1, limit // 8), most, 2)
        self._deletes: Lanes[Write] = Lanes(max(1, limit // 4), limit, 1)
        self._lanes_of = {
            Priority.START: self._starts,
            Priority.STATUS: self._statuses,
            Priority.DELETE: self._deletes,
            Priority.EVENT: self._statuses,
        }
        self._all = (self._starts, self._statuses, self._deletes)
        self._running: set[asyncio.Task[Reply]] = set()
        self._tick: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return sum(map(len, self._all))

    def submit(self, priority: Priority, ns: str, action: Write) -> None:
        """Queue an action that writes in a namespace; it starts when its turn comes."""
        lanes = self._lanes_of[priority]
        lanes.add(ns, int(priority is Priority.EVENT), action, _read_clock())
        self._pump(lanes)

    @property
    def has_starts_waiting(self) -> bool:
        """Tell whether a start waits for its turn in a namespace that is not slow."""
        return self._starts.has_fast_waiting

    @property
    def slow_namespaces(self) -> int:
        """How many namespaces are slow to create Jobs."""
        return self._starts.count_slow(_read_clock())

    @property
    def longest_start_wait(self) -> float:
        """For how many seconds the start that waits the longest has waited for its turn."""
        return self._starts.compute_longest_wait(_read_clock())

    def count_waiting(self, ns: str) -> int:
        """Count the writes of a namespace that wait for their turn."""
        return sum(lanes.count_waiting(ns) for lanes in self._all)

    async def drain(self, seconds: float) -> None:
        """Drop what has not begun, and wait for what has."""
        for lanes in self._all:
            lanes.clear()
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    def _pump(self, lanes: Lanes[Write]) -> None:
        loop = asyncio.get_running_loop()
        while (turn := lanes.begin(loop.time())) is not None:
            task = loop.create_task(self._run(turn.write))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            task.add_done_callback(partial(self._finish, lanes, turn))
        if self._running and self._tick is None:
            self._tick = loop.call_later(TICK_SECONDS, self._age)

    def _age(self) -> None:
        self._tick = None
        for lanes in self._all:
            lanes.age(_read_clock())
            self._pump(lanes)

    async def _run(self, action: Write) -> Reply:
        try:
            return await action() or Reply.ANSWERED
        except Exception:
            log.exception("a write failed in an unforeseen way")
            return Reply.UNSENT

    def _finish(self, lanes: Lanes[Write], turn: LaneTurn[Write], task: asyncio.Task[Reply]) -> None:
        lanes.end(turn, Reply.UNSENT if task.cancelled() else task.result(), _read_clock())
        self._pump(lanes)


def _read_clock() -> float:
    return asyncio.get_running_loop().time()
