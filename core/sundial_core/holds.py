"""Whether a schedule is held back (suspended, paused), and from which instant its slots count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sundial_core.conditions import ConditionType, Reason
from sundial_core.instants import format_instant
from sundial_core.objects import Pause, ScheduledJob
from sundial_core.plans import Plan, Problem
from sundial_core.stored import Stored

OPEN_ENDED = (Reason.SUSPENDED, Reason.PAUSED, Reason.PAUSE_UNREADABLE)
MENDED_BY_EDITS = (Reason.INVALID_SPEC, Reason.INVALID_SCHEDULE, Reason.ARGS_TOO_LARGE)
"""Problems that only a change of the object itself ends; others end at an instant that it does not tell."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing starts now; `until` is the end of a timed pause, `pause` the pause if it is one."""

    reason: Reason
    message: str
    until: datetime | None = None
    pause: Pause | None = None


def find_hold(job: ScheduledJob, now: datetime) -> Hold | None:
    """Tell why a schedule is held back at `now`; suspension goes before a pause."""
    if job.spec.get("suspend"):
        return Hold(Reason.SUSPENDED, "spec.suspend is true")
    pause = job.pause
    if pause is None or not pause.is_in_effect(now):
        return None
    if pause.unreadable is not None:
        message = (
            f"the annotation sundial.dev/paused is {pause.unreadable!r}, which is neither"
            ' "true" nor an instant such as 2026-01-01T09:00:00Z; paused until it is corrected or removed'
        )
        return Hold(Reason.PAUSE_UNREADABLE, message, pause=pause)
    if pause.until is None:
        message = f"paused by the annotation sundial.dev/paused{_describe_author(pause)}"
        return Hold(Reason.PAUSED, message, pause=pause)
    message = f"paused until {format_instant(pause.until)}{_describe_author(pause)}"
    return Hold(Reason.PAUSED_UNTIL, message, pause.until, pause)


def _describe_author(pause: Pause) -> str:
    """Say who paused and why, as far as they wrote it down."""
    words = ": ".join(filter(None, (pause.by, pause.reason)))
    return f" ({words})" if words else ""


def find_change(job: ScheduledJob, now: datetime) -> datetime:
    """Find when a user last changed the object: its managedFields time, or now if absent or later."""
    return min(job.changed_at or now, now)


def decide_effective_from(
    job: ScheduledJob, plan: Plan | Problem, hold: Hold | None, decided: Stored, now: datetime
) -> datetime:
    """Decide after which instant slots count; it never goes back.

    The rules: docs/semantics.md, "From when slots count". `decided` is the newest status that was decided.
    Where there is none yet, what happened between the creation and the newest change is unknown, and nothing
    of it may fire.
    """
    change = find_change(job, now)
    candidates = [job.created_at, decided.effective_from, _find_end(decided, hold, change)]
    if decided.effective_from is None and (job.generation > 1 or job.changed_at is not None):
        candidates.append(change)
    if decided.effective_from is not None and decided.schedule_hash != plan.schedule_hash:
        candidates.append(change)
    if isinstance(plan, Plan) and not decided.was_valid:
        ready = decided.conditions[ConditionType.READY]
        candidates.append(change if ready["reason"] in MENDED_BY_EDITS else now)
    if job.pause is not None and job.pause.until is not None and job.pause.until <= now:
        candidates.append(job.pause.until)
    return max(candidate for candidate in candidates if candidate is not None)


def is_continued(decided: Stored, hold: Hold, change: datetime) -> bool:
    """Tell whether a hold was in effect when last decided, or from the first; no slot counts meanwhile."""
    if decided.effective_from is None:
        return True
    return decided.hold is not None and _find_end(decided, hold, change) is None


def _find_end(decided: Stored, hold: Hold | None, change: datetime) -> datetime | None:
    """Find when the hold that was in effect ended: a timed one by itself, or earlier by a change."""
    if decided.hold is None:
        return None
    if decided.hold in OPEN_ENDED:
        is_open_ended = hold is not None and hold.reason in OPEN_ENDED
        return None if is_open_ended else change
    until = decided.paused_until or change
    return min(change, until) if hold is None or until <= change else None
