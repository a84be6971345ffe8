"""May a run be asked for again for a slot? What is wrong with the instant that a ScheduledJobRun names."""

from __future__ import annotations

from datetime import datetime

from sundial_clock.instants import EARLIEST, LATEST, format_instant
from sundial_core.resources.plans import Plan


def find_slot_problem(slot: datetime | None, plan: Plan, now: datetime) -> str | None:
    """Find out why an instant is no slot of the schedule that has passed; None where nothing is wrong."""
    if slot is None:
        return None
    if slot.tzinfo is None:
        return "spec.scheduledFor has no zone; end it with Z or an offset"
    if not EARLIEST <= slot <= LATEST:
        return "spec.scheduledFor: write an instant from 1970 to 8999"
    named = f"spec.scheduledFor: {format_instant(slot)}"
    if slot > now:
        return f"{named} has not passed yet; leave it out to run now"
    if plan.schedule.is_slot(slot):
        return None
    nearest = (plan.schedule.previous_slot(slot), plan.schedule.next_slot(slot))
    known = [format_instant(near) for near in nearest if near is not None]
    verb = "are" if len(known) > 1 else "is"
    hint = f"; the nearest {verb} {' and '.join(known)}" if known else ""
    return f"{named} is no slot of the schedule ({plan.schedule.text}){hint}; write a slot"
