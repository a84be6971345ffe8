"""May a slot of the past be run now? Only where it is known to have had no run, and none can come any more.

Values in, values out. The rule: docs/api-contract.md, "Backfill".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sundial_api.http.errors import Invalid
from sundial_api.jobs.start_rules import JobLoad
from sundial_clock.instants import RESOLUTION, format_instant
from sundial_clock.schedule import CompiledSchedule
from sundial_clock.sentences import Sentence, say
from sundial_core.decision.concurrency import Admission, decide_admission
from sundial_core.resources.specs import ConcurrencyPolicy

MAX_SLOTS = 100
"""How many slots a range may have: as many as a ScheduledJob may let wait."""
MAX_RANGE = timedelta(days=3660)
"""Slots are counted day by day."""


class SlotState(StrEnum):
    """Where a slot of a backfill stands."""

    NEW = "new"
    ASKED = "asked"
    RAN = "ran"
    UNDECIDED = "undecided"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SlotHistory:
    """What is known of the slots of a job."""

    runs: Mapping[datetime, UUID]
    """The run of a slot that had one, whoever asked for it."""
    unseen: tuple[tuple[datetime, datetime], ...]
    """From when to when slots passed while nothing was mirrored."""
    known_until: datetime
    """Up to where the verdict of each slot is known."""
    waiting: frozenset[datetime]
    """Slots before that which wait for a place, or did when it was last known."""
    floor: datetime | None
    """Up to where history was deleted."""


def judge(slot: datetime, history: SlotHistory) -> SlotState:
    """Say where a slot stands; NEW is one that has had no run, and has none to come."""
    if slot in history.runs:
        return SlotState.RAN
    if slot > history.known_until or slot in history.waiting:
        return SlotState.UNDECIDED
    if history.floor is not None and slot <= history.floor:
        return SlotState.UNKNOWN
    if any(begin <= slot <= end for begin, end in history.unseen):
        return SlotState.UNKNOWN
    return SlotState.NEW


def check_range(since: datetime, to: datetime, now: datetime) -> None:
    """Check that a range can have slots that have passed; raises Invalid."""
    if since > to:
        raise Invalid(("body", "to"), say("is before from"))
    if since > now:
        message = say(
            "has not passed yet: it is {now}; only slots of the past are run", now=format_instant(now)
        )
        raise Invalid(("body", "from"), message)


def list_range(schedule: CompiledSchedule, since: datetime, until: datetime) -> list[datetime]:
    """List the slots from one instant to another, oldest first; raises Invalid where they are too many."""
    if until - since > MAX_RANGE:
        message = say("is more than {count} days after from; cut the range", count=MAX_RANGE.days)
        raise Invalid(("body", "to"), message)
    count = schedule.count_slots(since - RESOLUTION, until)
    if count > MAX_SLOTS:
        last = schedule.slots_after(since - RESOLUTION, MAX_SLOTS)[-1]
        message = say(
            "the range has {count} slots, and {limit} are run at once: end it at {last}, and begin the next"
            " one after that",
            count=count,
            limit=MAX_SLOTS,
            last=format_instant(last),
        )
        raise Invalid(("body", "to"), message)
    return schedule.latest_slots(since - RESOLUTION, until, MAX_SLOTS)


def explain_refusal(load: JobLoad, wanted: int) -> Sentence | None:
    """Explain why so many runs at once would not all run; None where they would."""
    room = count_room(load, wanted)
    if room == wanted:
        return None
    return say(
        "{wanted} runs at once are more than concurrencyPolicy {policy} takes now: there is room for"
        " {room}, with {active} active and {waiting} waiting; cut the range, or raise maxInstances, or have"
        " the resource queue more",
        wanted=wanted,
        policy=load.rule.policy.value,
        room=room,
        active=load.active,
        waiting=load.waiting,
    )


def count_room(load: JobLoad, wanted: int) -> int:
    """Count how many of so many more runs would start or wait, and end no other."""
    active, waiting = load.active, load.waiting
    for made in range(wanted):
        turn = decide_admission(load.rule, active, waiting)
        if turn is Admission.START:
            active += 1
        elif turn is Admission.WAIT and load.rule.policy is ConcurrencyPolicy.QUEUE:
            waiting += 1
        else:
            return made
    return wanted
