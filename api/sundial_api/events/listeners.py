"""How many may listen? Each caller some, and all together not more than a process can serve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID

from prometheus_client import CollectorRegistry, Gauge

from sundial_api.auth.tokens import Caller
from sundial_api.http.errors import HTTPProblem
from sundial_clock.sentences import say

RETRY_SECONDS = 30


class _Account(NamedTuple):
    name: str
    uid: UUID


class Listeners:
    """Counts the streams that are open, by caller."""

    def __init__(self, most: int, most_per_caller: int, registry: CollectorRegistry) -> None:
        self._most, self._most_per_caller = most, most_per_caller
        self._open: Counter[_Account] = Counter()
        gauge = Gauge("sundial_api_event_listeners", "Event streams that are open.", registry=registry)
        gauge.set_function(self._open.total)

    @contextmanager
    def admit(self, caller: Caller) -> Iterator[None]:
        """Count one more stream while the block runs; raises Problem 429 or 503 where there is no place."""
        account = _Account(caller.name, caller.uid)
        self._check(account)
        self._open[account] += 1
        try:
            yield
        finally:
            self._open[account] -= 1
            if not self._open[account]:
                del self._open[account]

    def _check(self, account: _Account) -> None:
        if self._open[account] >= self._most_per_caller:
            detail = say(
                "you follow {count} event streams here already, and more are not permitted;"
                " close one, or share one stream among your pages",
                count=self._most_per_caller,
            )
            raise HTTPProblem(429, detail, Retry_After=str(RETRY_SECONDS))
        if self._open.total() >= self._most:
            detail = say(
                "{count} event streams are open here, and more are not served; read the lists instead,"
                " and try again later",
                count=self._most,
            )
            raise HTTPProblem(503, detail, Retry_After=str(RETRY_SECONDS))
