"""In which namespaces may a caller list? Asked of the API server for each one that is known.

A caller with rights in some namespaces lists over exactly those without naming one. There is no review that
names them, so each is asked about: at most eight at once for an account, and 16 in all. What was found is
believed for a minute, and looked for again from half of that on; who asks too soon gets what has been
found until then, and is told so (docs/api-contract.md, "Lists over several namespaces").
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

import structlog

from sundial_api.auth.answer_store import SHARES
from sundial_api.auth.breaker import PAUSE_SECONDS
from sundial_api.auth.kept_answers import OUTAGE_SECONDS, is_trouble
from sundial_kube.deadline import compute_remaining
from sundial_kube.errors import ApiError, ApiUnreachable

log = structlog.get_logger()

BELIEVED_SECONDS = 60.0
"""How long a right that was found is believed: one that is taken away works for this much longer."""
REFRESH_SECONDS = 30.0
"""After how long it is looked for again, while what is known still serves."""
WAIT_SECONDS = 2.0
"""How long a request waits for what is looked for."""
MAX_AT_ONCE = 8
"""How many reviews are under way for one account, and:"""
MAX_IN_ALL = 16
MAX_CALLERS = 1_000
MAX_NAMES = 200_000
"""Of how many callers it is kept what was found, and how many names in all; the ones unused longest go.
One account has a tenth of either at most: each token of a service account is another caller."""

ListKnown = Callable[[], Awaitable[tuple[str, ...]]]
"""Lists the namespaces that there may be something to list in."""
AskAbout = Callable[[str], Awaitable[bool]]
"""Asks whether a caller may list in a namespace; raises ApiError and ApiUnreachable."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Over which namespaces a list goes; None is all. It may be that not all are found yet."""

    namespaces: tuple[str, ...] | None = None
    is_complete: bool = True

    def includes(self, namespace: str) -> bool:
        """Tell whether something of a namespace may be shown."""
        return self.namespaces is None or namespace in self.namespaces


@dataclass(slots=True)
class _Search:
    """One look at all namespaces; `found` grows, with when each was asked about."""

    began_at: float
    found: dict[str, float] = field(default_factory=dict)
    is_asking: bool = False
    has_answers: bool = False
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Looks:
    """The last look that ended well, and the one under way."""

    last: _Search | None = None
    current: _Search | None = None


@dataclass(slots=True)
class _Caller:
    """What is known of a caller, by the kind that is listed; `places` are those of its account."""

    account: Hashable
    places: asyncio.Semaphore
    looks: dict[str, _Looks] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many names are kept."""
        return sum(len(looks.last.found) for looks in self.looks.values() if looks.last is not None)

    def list_tasks(self) -> list[asyncio.Task[None]]:
        """List what is under way."""
        searches = (looks.current for looks in self.looks.values())
        return [search.task for search in searches if search is not None and search.task is not None]


class VisibleNamespaces:
    """Finds the namespaces of callers, and remembers them for a moment."""

    def __init__(
        self,
        list_known: ListKnown,
        read_clock: Callable[[], float] = time.monotonic,
        find_account: Callable[[Any], Hashable] = lambda key: key,
    ) -> None:
        self._list_known = list_known
        self._read_clock = read_clock
        self._find_account = find_account
        self._callers: OrderedDict[Hashable, _Caller] = OrderedDict()
        self._places = asyncio.Semaphore(MAX_IN_ALL)
        self._failed_at = float("-inf")

    async def find(self, key: Hashable, kind: str, ask: AskAbout) -> Reach:
        """Find where a caller may list a kind; `key` is all that its rights depend on.

        While the API server cannot be asked, what was found before is believed for an hour. Raises ApiError,
        ApiUnreachable, and what listing the known namespaces raises.
        """
        caller = self._touch(key)
        looks = caller.looks.setdefault(kind, _Looks())
        self._begin_if_due(caller, looks, ask)
        fresh = self._give(looks.last, BELIEVED_SECONDS)
        if fresh is not None:
            return fresh
        search = looks.current
        if search is None or search.task is None:
            return self._give_in_outage(looks)
        await asyncio.wait([search.task], timeout=min(WAIT_SECONDS, compute_remaining()))
        if search.task.done():
            return self._conclude(looks, search, search.task)
        is_silent = search.is_asking and not search.has_answers
        return self._give_in_outage(looks) if is_silent else self._show(search)

    def recall(self, key: Hashable, kind: str) -> Reach | None:
        """Give what was found of a caller in the last hour, for while nobody can be asked."""
        caller = self._callers.get(key)
        looks = caller.looks.get(kind) if caller is not None else None
        return self._give(looks.last, OUTAGE_SECONDS) if looks is not None else None

    async def close(self) -> None:
        """End what is under way."""
        tasks = [task for caller in self._callers.values() for task in caller.list_tasks()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _touch(self, key: Hashable) -> _Caller:
        caller = self._callers.get(key)
        if caller is None:
            account = self._find_account(key)
            places = next((one.places for one in self._callers.values() if one.account == account), None)
            caller = self._callers[key] = _Caller(account, places or asyncio.Semaphore(MAX_AT_ONCE))
        self._callers.move_to_end(key)
        own = [one for one, known in self._callers.items() if known.account == caller.account]
        self._make_room(own, SHARES)
        self._make_room(list(self._callers), 1)
        return caller

    def _make_room(self, keys: list[Hashable], parts: int) -> None:
        """Forget the oldest of some callers, but the last, until they have a part of what may be kept."""
        names = sum(self._callers[key].size for key in keys)
        for place, key in enumerate(keys[:-1]):
            if len(keys) - place <= max(1, MAX_CALLERS // parts) and names <= MAX_NAMES // parts:
                return
            forgotten = self._callers.pop(key)
            names -= forgotten.size
            for task in forgotten.list_tasks():
                task.cancel()

    def _begin_if_due(self, caller: _Caller, looks: _Looks, ask: AskAbout) -> None:
        """Begin to look again in time, but not while the API server is left alone."""
        now = self._read_clock()
        is_known = looks.last is not None and now - looks.last.began_at < REFRESH_SECONDS
        if is_known or looks.current is not None or now - self._failed_at < PAUSE_SECONDS:
            return
        search = looks.current = _Search(now)
        # a context of its own: the deadline of the request that happens to be first is not its
        search.task = asyncio.create_task(self._look(caller, looks, search, ask), context=Context())
        search.task.add_done_callback(_take_notice)

    async def _look(self, caller: _Caller, looks: _Looks, search: _Search, ask: AskAbout) -> None:
        """Ask about every known namespace."""
        try:
            left = iter(await self._list_known())
            search.is_asking = True
            async with asyncio.TaskGroup() as group:
                for _ in range(MAX_AT_ONCE):
                    group.create_task(self._ask_on(left, caller, search, ask))
            looks.last = search
        except ExceptionGroup as errors:
            error = _find_first(errors)
            if isinstance(error, (ApiError, ApiUnreachable)) and is_trouble(error):
                self._failed_at = self._read_clock()
            log.warning("the API server did not say where a caller may list", error=str(error))
            raise error from None
        finally:
            looks.current = None

    async def _ask_on(self, left: Iterator[str], caller: _Caller, search: _Search, ask: AskAbout) -> None:
        for namespace in left:
            async with caller.places, self._places:
                asked_at = self._read_clock()
                if await _ask_twice(ask, namespace):
                    search.found[namespace] = asked_at
                search.has_answers = True

    def _conclude(self, looks: _Looks, search: _Search, task: asyncio.Task[None]) -> Reach:
        """Give what a look has come to; one that took too long, or was ended, is not complete."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            return self._give(looks.last, BELIEVED_SECONDS) or self._show(search)
        known = self._give(looks.last, OUTAGE_SECONDS)
        if known is None or not isinstance(error, (ApiError, ApiUnreachable)) or not is_trouble(error):
            raise error
        return known

    def _give(self, last: _Search | None, seconds: float) -> Reach | None:
        """Give what a look found, unless it began so long ago."""
        if last is None or self._read_clock() - last.began_at >= seconds:
            return None
        return Reach(tuple(sorted(last.found)))

    def _give_in_outage(self, looks: _Looks) -> Reach:
        known = self._give(looks.last, OUTAGE_SECONDS)
        if known is None:
            raise ApiUnreachable("the API server gives no answer about a caller")
        return known

    def _show(self, search: _Search) -> Reach:
        """Show what a look has found in the last minute."""
        since = self._read_clock() - BELIEVED_SECONDS
        fresh = [name for name, asked_at in search.found.items() if asked_at > since]
        return Reach(tuple(sorted(fresh)), is_complete=False)


async def list_none() -> tuple[str, ...]:
    """Know no namespace."""
    return ()


async def _ask_twice(ask: AskAbout, namespace: str) -> bool:
    """Ask; once more where there was no answer, as a connection may have broken: a review changes nothing."""
    try:
        return await ask(namespace)
    except ApiUnreachable:
        return await ask(namespace)


def _find_first(errors: ExceptionGroup[Exception]) -> Exception:
    first = errors.exceptions[0]
    return _find_first(first) if isinstance(first, ExceptionGroup) else first


def _take_notice(task: asyncio.Task[None]) -> None:
    """Take notice of an error that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
