"""Which slots that are due run, late ones too, and which are missed; the concurrency rule comes after.

The rules: docs/semantics.md, "Which slots count" and "On time and late". Slots are decided oldest first. A
verdict is given once: it is remembered until the status that holds it is stored, so that looking again later
never changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from sundial_clock.instants import RESOLUTION
from sundial_clock.schedule import CompiledSchedule
from sundial_core.resources.messages import trim_message
from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.resources.specs import CatchUp, CatchUpPolicy
from sundial_core.status.verdicts import VerdictRecord

MAX_ON_TIME = 10_000
"""More slots than an hour of grace, its maximum, holds at one a second."""


@dataclass(frozen=True, slots=True)
class Due:
    """The slots in (after, until] to decide about, those in `known` excepted.

    A known slot has a Job, or a create under way, or waits for a place.
    """

    schedule: CompiledSchedule
    after: datetime
    until: datetime
    known: frozenset[datetime]


@dataclass(frozen=True, slots=True)
class Offered:
    """What is due, by its age: slots for the concurrency rule, verdicts on the others."""

    slots: tuple[datetime, ...] = ()
    verdicts: tuple[VerdictRecord, ...] = ()


def choose_offered(due: Due, catch_up: CatchUp) -> Offered:
    """Find which of the slots that are due at `due.until` go to the concurrency rule."""
    if due.until <= due.after:
        return Offered()
    late_until = max(due.after, due.until - timedelta(seconds=catch_up.grace_seconds))
    on_time = due.schedule.latest_slots(late_until, due.until, MAX_ON_TIME)
    late = replace(due, until=late_until)
    caught_up: list[datetime] = []
    if not (on_time and catch_up.policy is CatchUpPolicy.LATEST):
        caught_up = _choose_caught_up(late, due.until, catch_up)
    missed = _miss_between(late, {*late.known, *caught_up}, Reason.TOO_LATE)
    slots = caught_up + [slot for slot in on_time if slot not in due.known]
    return Offered(tuple(slots), tuple(missed))


def missed_verdicts(due: Due, reason: Reason, message: str = "") -> tuple[VerdictRecord, ...]:
    """Give all that is due the verdict Missed, for one reason."""
    return tuple(replace(record, message=message) for record in _miss_between(due, due.known, reason))


NO_REFUSALS: Mapping[datetime, str] = MappingProxyType({})


def given_up_verdicts(
    due: Due, refused: frozenset[datetime], refusals: Mapping[datetime, str] = NO_REFUSALS
) -> list[VerdictRecord]:
    """Give the verdict Missed to slots whose creates were refused, where a newer slot is due."""
    if not refused:
        return []
    newest = due.schedule.latest_slots(due.after, due.until, 1)
    older = frozenset(slot for slot in refused if newest and slot < newest[0])
    return refused_verdicts(older, "a newer slot was due", refusals)


def refused_verdicts(
    slots: frozenset[datetime], until: str, refusals: Mapping[datetime, str]
) -> list[VerdictRecord]:
    """Give the verdict Missed to slots whose creates were refused until the schedule was suspended."""
    return [
        VerdictRecord(
            *(slot, slot, 1, Verdict.MISSED, Reason.CREATE_FAILED),
            trim_message(": ".join(filter(None, (f"refused until {until}", refusals.get(slot))))),
        )
        for slot in sorted(slots)
    ]


def _choose_caught_up(late: Due, now: datetime, catch_up: CatchUp) -> list[datetime]:
    limits = {CatchUpPolicy.NONE: 0, CatchUpPolicy.LATEST: 1, CatchUpPolicy.ALL: catch_up.max_runs}
    limit = limits[catch_up.policy]
    window_from = max(late.after, now - timedelta(seconds=catch_up.window_seconds))
    if limit == 0 or window_from >= late.until:
        return []
    newest = late.schedule.latest_slots(window_from, late.until, limit)
    return [slot for slot in newest if slot not in late.known]


def _miss_between(due: Due, breaks: Iterable[datetime], reason: Reason) -> Iterator[VerdictRecord]:
    """Build ranges of missed slots, cut at `breaks`; a million slots cost no more than a few."""
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
            yield VerdictRecord(first, last, count, Verdict.MISSED, reason)
        after = edge
