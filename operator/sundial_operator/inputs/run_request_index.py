"""Which ScheduledJobRuns of a ScheduledJob are to be reconciled: those that are over are left out.

Ten thousand finished ones wait for somebody to delete them, or for their time to live; deciding about
all of them each time would hold up everything else.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from datetime import datetime

from sundial_core.decision.run_requests import find_end_of_life
from sundial_core.resources.objects import ScheduledJobRun
from sundial_core.status.scheduled_job_runs import is_complete

MAX_DUE = 100
"""How many are deleted at once when their time to live is over; when one is gone the next is looked for."""

End = tuple[datetime, str]
"""When a ScheduledJobRun is to be deleted, and its UID."""


class RunRequestIndex:
    """The ScheduledJobRuns that name one ScheduledJob."""

    def __init__(self) -> None:
        self._all: dict[str, ScheduledJobRun] = {}
        self._open: set[str] = set()
        self._ends: list[End] = []

    def __len__(self) -> int:
        return len(self._all)

    def list_all(self) -> tuple[ScheduledJobRun, ...]:
        """All of them."""
        return tuple(self._all.values())

    def list_open(self, known: Iterable[str], now: datetime) -> tuple[ScheduledJobRun, ...]:
        """List those that are not settled, those of `known` runs, and those whose time to live ends next."""
        due = bisect_right(self._ends, now, key=lambda end: end[0])
        ending = self._ends[: min(due, MAX_DUE) + 1]
        uids = self._open.union((uid for uid in known if uid in self._all), (uid for _, uid in ending))
        return tuple(self._all[uid] for uid in uids)

    def note(self, old: ScheduledJobRun | None, new: ScheduledJobRun) -> None:
        """Take one as it is now; one that has just ended stays until it is settled."""
        self._all[new.uid] = new
        if not is_complete(new.status):
            self._open.add(new.uid)
        self._forget_end(old)
        end = find_end_of_life(new)
        if end is not None:
            insort(self._ends, (end, new.uid))

    def settle(self, request: ScheduledJobRun) -> None:
        """Leave one out from now on: it is over, and nothing is left to be said of it."""
        self._open.discard(request.uid)

    def drop(self, request: ScheduledJobRun) -> None:
        """Forget one that is gone."""
        self._forget_end(self._all.pop(request.uid, None))
        self._open.discard(request.uid)

    def _forget_end(self, request: ScheduledJobRun | None) -> None:
        end = find_end_of_life(request) if request else None
        if request is None or end is None:
            return
        place = bisect_left(self._ends, (end, request.uid))
        if self._ends[place : place + 1] == [(end, request.uid)]:
            del self._ends[place]
