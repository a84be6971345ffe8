"""What becomes of each slot that is due: started, skipped, or missed.

The rules: docs/semantics.md, "Which slots count" and "On time and late". Slots are judged oldest first. A
judgement is made once: it is remembered until the status that holds it is stored, so that looking again later
never changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from sundial_clock.instants import RESOLUTION
from sundial_clock.schedule import CompiledSchedule
from sundial_core.conditions import Reason
from sundial_core.foreign_text import trim_message
from sundial_core.model import CatchUp, CatchUpPolicy

MOST_ON_TIME = 10_000
"""More slots than an hour of grace, its maximum, holds at one a second."""


class Verdict(StrEnum):
    """What became of a slot."""

    STARTED = "Started"
    SKIPPED = "Skipped"
    MISSED = "Missed"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on one slot, or on `count` slots from `first` to `last` that share it."""

    first: datetime
    last: datetime
    count: int
    verdict: Verdict
    reason: Reason
    message: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """The slots in (after, until] that are to be judged, those in `known` excepted.

    A known slot has a Job, or a create under way, or waits for a place.
    """

    schedule: CompiledSchedule
    after: datetime
    until: datetime
    known: frozenset[datetime]


@dataclass(frozen=True, slots=True)
class Offered:
    """What is due, by its age: slots that are put to the concurrency rule, judgements on the others."""

    slots: tuple[datetime, ...] = ()
    judgements: tuple[Judgement, ...] = ()


def find_offered(due: Due, catch_up: CatchUp) -> Offered:
    """Find which of the slots that are due at `due.until` go to the concurrency rule."""
    if due.until <= due.after:
        return Offered()
    late_until = max(due.after, due.until - timedelta(seconds=catch_up.grace_seconds))
    on_time = due.schedule.latest_slots(late_until, due.until, MOST_ON_TIME)
    late = replace(due, until=late_until)
    caught_up: list[datetime] = []
    if not (on_time and catch_up.policy is CatchUpPolicy.LATEST):
        caught_up = _find_caught_up(late, due.until, catch_up)
    missed = _miss_between(late, {*late.known, *caught_up}, Reason.TOO_LATE)
    slots = caught_up + [slot for slot in on_time if slot not in due.known]
    return Offered(tuple(slots), tuple(missed))


def miss_slots(due: Due, reason: Reason, message: str = "") -> tuple[Judgement, ...]:
    """Judge all that is due as missed, for one reason."""
    return tuple(replace(one, message=message) for one in _miss_between(due, due.known, reason))


NO_REFUSALS: Mapping[datetime, str] = MappingProxyType({})


def give_up(
    due: Due, refused: frozenset[datetime], refusals: Mapping[datetime, str] = NO_REFUSALS
) -> list[Judgement]:
    """Judge the slots whose creates were refused as missed where a newer slot is due."""
    if not refused:
        return []
    newest = due.schedule.latest_slots(due.after, due.until, 1)
    older = frozenset(slot for slot in refused if newest and slot < newest[0])
    return miss_refused(older, "a newer slot was due", refusals)


def miss_refused(slots: frozenset[datetime], until: str, refusals: Mapping[datetime, str]) -> list[Judgement]:
    """Judge slots as missed whose creates were refused until something else counted, with what was said."""
    return [
        Judgement(
            *(slot, slot, 1, Verdict.MISSED, Reason.CREATE_FAILED),
            trim_message(": ".join(filter(None, (f"refused until {until}", refusals.get(slot))))),
        )
        for slot in sorted(slots)
    ]


def find_cursor(
    cursor: datetime,
    judgements: Iterable[Judgement],
    started: Iterable[datetime],
    creating: Iterable[datetime],
) -> datetime:
    """Find the newest slot such that it and each earlier one that counts is decided.

    A create under way holds the cursor before its slot; what was decided behind it waits.
    """
    decided = [*started, *(judgement.last for judgement in judgements)]
    held = min(creating, default=None)
    return max([cursor, *(slot for slot in decided if held is None or slot < held)])


def _find_caught_up(late: Due, now: datetime, catch_up: CatchUp) -> list[datetime]:
    limits = {CatchUpPolicy.NONE: 0, CatchUpPolicy.LATEST: 1, CatchUpPolicy.ALL: catch_up.max_runs}
    limit = limits[catch_up.policy]
    window_from = max(late.after, now - timedelta(seconds=catch_up.window_seconds))
    if limit == 0 or window_from >= late.until:
        return []
    newest = late.schedule.latest_slots(window_from, late.until, limit)
    return [slot for slot in newest if slot not in late.known]


def _miss_between(due: Due, breaks: Iterable[datetime], reason: Reason) -> Iterator[Judgement]:
    """Count the slots between `breaks` as missed ranges; a million cost no more than a few."""
    if due.until <= due.after:
        return
    after = due.after
    for edge in [*sorted(slot for slot in breaks if due.after < slot <= due.until), due.until + RESOLUTION]:
        first = due.schedule.next_slot(after)
        if first is None or first > due.until:
            return
        if first < edge:
            (last,) = due.schedule.latest_slots(after, edge - RESOLUTION, 1)
            count = due.schedule.count_slots(after, edge - RESOLUTION)
            yield Judgement(first, last, count, Verdict.MISSED, reason)
        after = edge
