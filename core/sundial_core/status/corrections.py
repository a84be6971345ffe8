"""The one correction of a verdict that is allowed: a slot that has a Job of ours was started.

A create that was given up may land after all, and a Job says more than any policy (docs/semantics.md,
"A Job makes its slot Started"). Such a run counts as active and is not ended for it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from sundial_clock.instants import RESOLUTION
from sundial_clock.schedule import CompiledSchedule
from sundial_core.resources.phases import Trigger
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.run import Run
from sundial_core.status.stored import StoredStatus
from sundial_core.status.verdicts import VerdictRecord

Span = tuple[datetime, datetime, int]
"""The first and last of some slots, and how many they are."""


def is_contradicted(run: ObservedJob | Run, stored: StoredStatus) -> bool:
    """Tell whether the status has another verdict on the slot of a run that has a Job."""
    if run.trigger is not Trigger.SCHEDULE or run.slot is None:
        return False
    is_decided = stored.cursor is not None and run.slot <= stored.cursor
    if not is_decided or not stored.without_run.cover(run.slot):
        return False
    return not (run.run_id in stored.active or run.run_id in stored.runs or stored.omits(run))


def except_started(
    verdicts: Iterable[VerdictRecord], started: Collection[datetime], schedule: CompiledSchedule | None
) -> tuple[VerdictRecord, ...]:
    """Leave the slots that were started out of verdicts that are not stored yet."""
    verdicts = tuple(verdicts)
    slots = sorted(started) if verdicts else []
    left: list[VerdictRecord] = []
    for record in verdicts:
        inside = slots[bisect_left(slots, record.first) : bisect_right(slots, record.last)]
        left += _except(record, inside, schedule) if inside else [record]
    return tuple(left)


def _except(
    record: VerdictRecord, slots: Iterable[datetime], schedule: CompiledSchedule | None
) -> list[VerdictRecord]:
    """Leave slots, oldest first, out of one verdict: each is in what the one before has left behind it."""
    spans = [(record.first, record.last, record.count)]
    for slot in slots:
        if spans and spans[-1][0] <= slot <= spans[-1][1]:
            spans += without_slot(slot, spans.pop(), schedule)
    return [replace(record, first=first, last=last, count=count) for first, last, count in spans]


def without_slot(slot: datetime, span: Span, schedule: CompiledSchedule | None) -> list[Span]:
    """Take one slot out of several; where they are not of this schedule only their number goes down."""
    if schedule is None or not is_row(span, schedule):
        first, last, count = span
        return [(first, last, count - 1)] if count > 1 else []
    return split_row(slot, span, schedule)


def is_row(span: Span, schedule: CompiledSchedule) -> bool:
    """Tell whether a span holds all slots that a schedule has between its first and its last."""
    first, last, count = span
    return count == 1 or schedule.count_slots(first - RESOLUTION, last) == count


def split_row(slot: datetime, row: Span, schedule: CompiledSchedule) -> list[Span]:
    """Take one slot out of a row: a row is left on each side of it; counts only what is before the slot."""
    first, last, count = row
    if count == 1:
        return []
    before = schedule.latest_slots(first - RESOLUTION, slot - RESOLUTION, 1)
    after = schedule.next_slot(slot)
    older = schedule.count_slots(first - RESOLUTION, slot - RESOLUTION)
    spans = [(first, before[0], older)] if before else []
    return spans + ([(after, last, count - 1 - older)] if after is not None and after <= last else [])
