"""Work that would hold up everybody else: done in a thread, one at a time, with a budget.

A thread cannot be ended from outside. What runs here asks its `Budget` after each short step, and so ends
by itself, whoever has stopped waiting for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sundial_api.http.errors import HTTPProblem
from sundial_clock.sentences import say

AT_ONCE = 1
"""How many run at the same time: the threads of one interpreter take turns, so more would end no sooner."""
WAIT_SECONDS = 2.0
"""How long one may wait for its turn; then 503."""
BUDGET_SECONDS = 1.0
"""How long one may take."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a computation may go on; begins when it is made."""

    seconds: float = BUDGET_SECONDS
    read_clock: Callable[[], float] = time.monotonic
    began_at: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "began_at", self.read_clock())

    @property
    def is_spent(self) -> bool:
        """Whether the computation has to end."""
        return self.read_clock() - self.began_at >= self.seconds


@dataclass(slots=True)
class Computations:
    """Gives computations their turns."""

    wait_seconds: float = WAIT_SECONDS
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def run(self, compute: Callable[[Budget], Result]) -> Result:
        """Compute in a thread; raises what it raises, and Problem 503 where no turn comes in time."""
        await self._take_place()
        future = asyncio.get_running_loop().run_in_executor(None, lambda: compute(Budget()))
        future.add_done_callback(self._give_back)
        return await asyncio.shield(future)

    async def _take_place(self) -> None:
        try:
            async with asyncio.timeout(self.wait_seconds):
                await self._places.acquire()
        except TimeoutError:
            busy = say("too many schedules are being looked at; try again in a moment")
            raise HTTPProblem(503, busy, Retry_After="1") from None

    def _give_back(self, future: asyncio.Future[Result]) -> None:
        """Give the place back when the thread has ended, and take notice of an error nobody waits for."""
        self._places.release()
        if not future.cancelled():
            future.exception()
