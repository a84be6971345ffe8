"""Whether a schedule is held back (suspended, paused), and from which instant its slots count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sundial_core.conditions import Reason
from sundial_core.instants import format_instant
from sundial_core.objects import ScheduledJob
from sundial_core.plans import Plan, Problem
from sundial_core.stored import Stored

OPEN_ENDED = (Reason.SUSPENDED, Reason.PAUSED, Reason.PAUSE_UNREADABLE)


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing starts now; `until` is the end of a timed pause."""

    reason: Reason
    message: str
    until: datetime | None = None


def find_hold(job: ScheduledJob, now: datetime) -> Hold | None:
    """Tell why a schedule is held back at `now`; suspension goes before a pause."""
    if job.spec.get("suspend"):
        return Hold(Reason.SUSPENDED, "spec.suspend is true")
    pause = job.pause
    if pause is None or not pause.is_in_effect(now):
        return None
    if pause.unreadable:
        message = (
            f"the annotation sundial.dev/paused is {pause.unreadable!r}, which is neither"
            ' "true" nor an instant such as 2026-01-01T09:00:00Z; paused until it is corrected or removed'
        )
        return Hold(Reason.PAUSE_UNREADABLE, message)
    if pause.until is None:
        return Hold(Reason.PAUSED, "paused by the annotation sundial.dev/paused")
    return Hold(Reason.PAUSED_UNTIL, f"paused until {format_instant(pause.until)}", pause.until)


def find_change(job: ScheduledJob, now: datetime) -> datetime:
    """Find when a user last changed the object: its managedFields time, or now if absent or later."""
    return min(job.changed_at or now, now)


def decide_effective_from(
    job: ScheduledJob, plan: Plan | Problem, hold: Hold | None, stored: Stored, now: datetime
) -> datetime:
    """Decide after which instant slots count; it never goes back (semantics, "Which slots count")."""
    if stored.effective_from is None:
        return job.created_at
    candidates = [stored.effective_from, job.created_at]
    if stored.schedule_hash != plan.schedule_hash or _has_ended(stored, hold):
        candidates.append(find_change(job, now))
    if isinstance(plan, Plan) and not stored.was_valid:
        is_edited = stored.observed_generation != job.generation
        candidates.append(find_change(job, now) if is_edited else now)
    if job.pause is not None and job.pause.until is not None and job.pause.until <= now:
        candidates.append(job.pause.until)
    return max(candidates)


def _has_ended(stored: Stored, hold: Hold | None) -> bool:
    """Tell whether a stored hold is over before any end of its own that it had."""
    if stored.hold is None:
        return False
    if stored.hold in OPEN_ENDED:
        return hold is None or hold.reason not in OPEN_ENDED
    return hold is None
