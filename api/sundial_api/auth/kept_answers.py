"""How are the API server's answers about callers found? Asked once at a time, and believed for a moment.

Whoever asks the same thing meanwhile waits for the same answer. While the API server gives none, it is left
alone for a moment (a breaker), and a good answer of before is believed for longer, where the caller of
`get` says so (docs/architecture.md, "Who may do what").
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import structlog

from sundial_api.auth.answer_store import AnswerStore, KeptAnswer
from sundial_api.auth.breaker import Breaker
from sundial_kube.deadline import compute_remaining
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
MAX_GOOD, MAX_REFUSED = 10_000, 1_000
"""How many answers are kept; refusals apart, or who makes tokens up would push out everybody else's. Of each
kind a tenth at most is about one caller."""
TROUBLE = frozenset({429, *range(500, 600)})
"""Answers after which the API server is left alone; any other error is about what was asked."""
MAX_AT_ONCE = 32
"""How many questions are under way at the same time."""


class KeptAnswers(Generic[Key, Answer]):
    """Answers by all that they depend on; `find_owner` tells whom one is about, else each is its own."""

    def __init__(
        self,
        is_good: Callable[[Answer], bool],
        read_clock: Callable[[], float] = time.monotonic,
        find_owner: Callable[[Key, Answer], Hashable] = lambda key, _: key,
        breaker: Breaker | None = None,
    ) -> None:
        self._is_good = is_good
        self._read_clock = read_clock
        self._find_owner = find_owner
        self._good: AnswerStore[Key, Answer] = AnswerStore()
        self._refused: AnswerStore[Key, Answer] = AnswerStore()
        self._asking: dict[Key, asyncio.Task[Answer]] = {}
        self._places = asyncio.Semaphore(MAX_AT_ONCE)
        self._breaker = breaker or Breaker(read_clock)

    async def get(self, key: Key, ask: Callable[[], Awaitable[Answer]], *, in_outage: bool) -> Answer:
        """Give a fresh answer, else ask; `in_outage`: one of before while the API server is in trouble.

        Raises ApiError and ApiUnreachable.
        """
        known = self._good.find(key) or self._refused.find(key)
        age = self._read_clock() - known.asked_at if known is not None else float("inf")
        if known is not None and age < FRESH_SECONDS:
            self._find_store(known.answer).touch(key)
            return known.answer
        try:
            return await self._ask_once(key, ask)
        except (ApiError, ApiUnreachable) as error:
            is_usable = known is not None and self._is_good(known.answer) and age <= OUTAGE_SECONDS
            if known is None or not is_usable or not in_outage or not is_trouble(error):
                raise
            return known.answer

    async def _ask_once(self, key: Key, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Wait for the answer that somebody has asked for already, else ask; until one's own deadline.

        Who gives up waiting ends nothing for the others.
        """
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key, ask))
            asking.add_done_callback(_take_notice)
        left = compute_remaining()
        try:
            async with asyncio.timeout(left if left < math.inf else None):
                return await asyncio.shield(asking)
        except TimeoutError:
            raise ApiUnreachable("the API server gave no answer about a caller in time") from None

    async def _ask(self, key: Key, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            async with self._take_place():
                self._breaker.check()
                answer = await self._ask_twice(ask)
        finally:
            del self._asking[key]
        self._keep(key, answer)
        return answer

    @asynccontextmanager
    async def _take_place(self) -> AsyncIterator[None]:
        """Wait for a place, not longer than an answer may take."""
        try:
            async with asyncio.timeout(min(REVIEW_SECONDS, compute_remaining())):
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
                self._breaker.trip()
            log.warning("the API server gave no answer about a caller", error=str(error))
            raise

    def _keep(self, key: Key, answer: Answer) -> None:
        for store in (self._good, self._refused):
            store.drop(key)
        kept = KeptAnswer(answer, self._find_owner(key, answer), self._read_clock())
        self._find_store(answer).put(key, kept, MAX_GOOD if self._is_good(answer) else MAX_REFUSED)

    def _find_store(self, answer: Answer) -> AnswerStore[Key, Answer]:
        return self._good if self._is_good(answer) else self._refused


def is_trouble(error: ApiError | ApiUnreachable) -> bool:
    """Tell whether an error is the API server's trouble, and not about what was asked."""
    return isinstance(error, ApiUnreachable) or error.status in TROUBLE


def _take_notice(task: asyncio.Task[Any]) -> None:
    """Take notice of an error that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
