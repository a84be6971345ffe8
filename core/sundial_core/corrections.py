"""The one correction of a verdict that is allowed: a slot that has a Job of ours was started.

A create that was given up may land after all, and a Job says more than any policy (docs/semantics.md,
"A Job makes its slot Started"). Such a run counts as active and is not ended for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from sundial_core.instants import parse_instant
from sundial_core.model import JsonObject
from sundial_core.runs import ObservedJob, Run, Trigger
from sundial_core.schedule import CompiledSchedule
from sundial_core.stored import Stored
from sundial_core.verdicts import INSTANT, Judgement

Span = tuple[datetime, datetime, int]
"""The first and last of some slots, and how many they are."""


def is_contradicted(run: ObservedJob | Run, stored: Stored) -> bool:
    """Tell whether the status has another verdict on the slot of a run that has a Job."""
    if run.trigger is not Trigger.SCHEDULE or run.slot is None:
        return False
    is_decided = stored.cursor is not None and run.slot <= stored.cursor
    if not is_decided or run.run_id in stored.active or run.run_id in stored.runs:
        return False
    return find_contrary(stored.status.get("recentSlots") or (), run.slot) is not None


def find_contrary(entries: Iterable[JsonObject], slot: datetime) -> JsonObject | None:
    """Find the entry that says of a slot, alone or among others, that it was not started."""
    return next((entry for entry in entries if "runId" not in entry and _covers(entry, slot)), None)


def except_started(
    judgements: Iterable[Judgement], started: Collection[datetime], schedule: CompiledSchedule | None
) -> tuple[Judgement, ...]:
    """Leave the slots that were started out of judgements that are not stored yet."""
    left = list(judgements)
    for slot in started:
        hit = next((one for one in left if one.first <= slot <= one.last), None)
        if hit is not None:
            left.remove(hit)
            left += [
                replace(hit, first=first, last=last, count=count)
                for first, last, count in take_out(slot, (hit.first, hit.last, hit.count), schedule)
            ]
    return tuple(left)


def take_out(slot: datetime, span: Span, schedule: CompiledSchedule | None) -> list[Span]:
    """Take one slot out of several; where they are not of this schedule only their number goes down."""
    first, last, count = span
    if count == 1:
        return []
    if schedule is None or schedule.count_slots(first - INSTANT, last) != count:
        return [(first, last, count - 1)]
    before = schedule.latest_slots(first - INSTANT, slot - INSTANT, 1)
    after = schedule.next_slot(slot)
    older = schedule.count_slots(first - INSTANT, slot - INSTANT)
    spans = [(first, before[0], older)] if before else []
    return spans + ([(after, last, count - 1 - older)] if after is not None and after <= last else [])


def _covers(entry: JsonObject, slot: datetime) -> bool:
    first, last = entry.get("slot") or entry["from"], entry.get("slot") or entry["to"]
    return parse_instant(first) <= slot <= parse_instant(last)
