"""How are the API server's answers about callers kept? Asked once at a time, and believed for a moment.

Whoever asks the same thing meanwhile waits for the same answer. While the API server gives none, it is left
alone for a moment (a breaker), and a good answer of before is believed for longer, where the caller of
`get` says so (docs/architecture.md, "Who may do what").
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from sundial_kube.errors import ApiError, ApiUnreachable

log = structlog.get_logger()

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")

FRESH_SECONDS = 10.0
"""How long an answer is believed, a refusal too: a role that is taken away works for this much longer."""
OUTAGE_SECONDS = 3600.0
"""How long a good one is believed, where that is permitted, while the API server cannot be asked."""
REVIEW_SECONDS = 2.0
"""How long an answer may take; the client that asks has this limit."""
PAUSE_SECONDS = 2.0
"""For how long the API server is left alone when it has given no answer."""
MAX_GOOD, MAX_REFUSED = 10_000, 1_000
"""How many answers are kept; refusals apart, or who makes tokens up would push out everybody else's."""
TROUBLE = frozenset({429, *range(500, 600)})
"""Answers after which the API server is left alone; any other error is about what was asked."""
MAX_AT_ONCE = 32
"""How many questions are under way at the same time."""


@dataclass(frozen=True, slots=True)
class _Kept(Generic[Answer]):
    answer: Answer
    asked_at: float


class KeptAnswers(Generic[Key, Answer]):
    """Answers by all that they depend on; the ones that nobody asked for longest go first."""

    def __init__(
        self, is_good: Callable[[Answer], bool], read_clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._is_good = is_good
        self._read_clock = read_clock
        self._good: OrderedDict[Key, _Kept[Answer]] = OrderedDict()
        self._refused: OrderedDict[Key, _Kept[Answer]] = OrderedDict()
        self._asking: dict[Key, asyncio.Task[Answer]] = {}
        self._places = asyncio.Semaphore(MAX_AT_ONCE)
        self._failed_at = float("-inf")

    async def get(self, key: Key, ask: Callable[[], Awaitable[Answer]], *, in_outage: bool) -> Answer:
        """Give a fresh answer, else ask; `in_outage`: one of before while the API server is in trouble.

        Raises ApiError and ApiUnreachable.
        """
        kept = self._good if key in self._good else self._refused
        known = kept.get(key)
        age = self._read_clock() - known.asked_at if known is not None else float("inf")
        if known is not None and age < FRESH_SECONDS:
            kept.move_to_end(key)
            return known.answer
        try:
            return await self._ask_once(key, ask)
        except (ApiError, ApiUnreachable) as error:
            is_usable = known is not None and self._is_good(known.answer) and age <= OUTAGE_SECONDS
            if known is None or not is_usable or not in_outage or not is_trouble(error):
                raise
            return known.answer

    async def _ask_once(self, key: Key, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Wait for the answer that somebody has asked for already, else ask.

        Who gives up waiting ends nothing for the others.
        """
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key, ask))
            asking.add_done_callback(_take_notice)
        return await asyncio.shield(asking)

    async def _ask(self, key: Key, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            async with self._take_place():
                self._check_pause()
                answer = await self._ask_twice(ask)
        finally:
            del self._asking[key]
        self._keep(key, answer)
        return answer

    @asynccontextmanager
    async def _take_place(self) -> AsyncIterator[None]:
        """Wait for a place, not longer than an answer may take."""
        try:
            async with asyncio.timeout(REVIEW_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise ApiUnreachable("too many questions about callers are under way") from None
        try:
            yield
        finally:
            self._places.release()

    async def _ask_twice(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask; once more where a connection broke at once: a review changes nothing."""
        began = self._read_clock()
        try:
            try:
                return await ask()
            except ApiUnreachable:
                if self._read_clock() - began > REVIEW_SECONDS / 2:
                    raise
                return await ask()
        except (ApiError, ApiUnreachable) as error:
            if is_trouble(error):
                self._failed_at = self._read_clock()
            log.warning("the API server gave no answer about a caller", error=str(error))
            raise

    def _check_pause(self) -> None:
        if self._read_clock() - self._failed_at < PAUSE_SECONDS:
            raise ApiUnreachable("the API server gave no answer about a caller a moment ago")

    def _keep(self, key: Key, answer: Answer) -> None:
        is_good = self._is_good(answer)
        kept, other, most = (
            (self._good, self._refused, MAX_GOOD) if is_good else (self._refused, self._good, MAX_REFUSED)
        )
        other.pop(key, None)
        kept[key] = _Kept(answer, self._read_clock())
        kept.move_to_end(key)
        while len(kept) > most:
            kept.popitem(last=False)


def is_trouble(error: ApiError | ApiUnreachable) -> bool:
    """Tell whether an error is the API server's trouble, and not about what was asked."""
    return isinstance(error, ApiUnreachable) or error.status in TROUBLE


def _take_notice(task: asyncio.Task[Any]) -> None:
    """Take notice of an error that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
