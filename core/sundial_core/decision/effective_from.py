"""From which instant the slots of a schedule count, after edits and suspensions."""

from __future__ import annotations

from datetime import datetime

from sundial_core.decision.edits import Edits, was_written_since_creation
from sundial_core.resources.managed_fields import PAUSED, SCHEDULE, SUSPEND
from sundial_core.resources.objects import ScheduledJob
from sundial_core.resources.plans import Plan, Problem
from sundial_core.resources.reasons import Reason
from sundial_core.resources.suspension import Suspension
from sundial_core.status.stored import StoredStatus

OPEN_ENDED = (Reason.SUSPENDED, Reason.PAUSED, Reason.PAUSE_UNREADABLE)


def decide_effective_from(
    job: ScheduledJob,
    plan: Plan | Problem,
    suspension: Suspension | None,
    decided: StoredStatus,
    edits: Edits,
) -> datetime:
    """Decide after which instant slots count; it never goes back.

    The rules: docs/semantics.md, "From when slots count". `decided` is the newest status that was decided.
    Where there is none yet, what happened between the creation and now is unknown once the spec or the pause
    was written again, and nothing of it may fire.
    """
    candidates = [job.created_at, decided.effective_from, find_break(job, plan, suspension, decided, edits)]
    if decided.effective_from is None:
        candidates.append(edits.now if was_written_since_creation(job) else None)
    if isinstance(plan, Plan) and not decided.was_valid:
        candidates.append(edits.now)  # what mended it need not be the newest change, nor one of this object
    return max(candidate for candidate in candidates if candidate is not None)


def find_break(
    job: ScheduledJob,
    plan: Plan | Problem,
    suspension: Suspension | None,
    decided: StoredStatus,
    edits: Edits,
) -> datetime | None:
    """Find when the schedule was last changed or suspended: slots that wait since before then are dropped.

    A spec that was invalid for a time, or a TaskFunction that was missing, drops nothing.
    """
    breaks = [_find_end(job, suspension, decided, edits)]
    if decided.effective_from is not None and decided.schedule_hash != plan.schedule_hash:
        breaks.append(edits.compute_newest(SCHEDULE))
    if job.pause is not None and job.pause.until is not None and job.pause.until <= edits.now:
        breaks.append(job.pause.until)
    return max((at for at in breaks if at is not None), default=None)


def find_suspended_since(
    job: ScheduledJob, suspension: Suspension | None, decided: StoredStatus, edits: Edits
) -> datetime | None:
    """Find since when a schedule is suspended, if it was not when slots were last decided; else None.

    If nothing was decided about it yet, it was suspended from the beginning.
    """
    if suspension is None or decided.effective_from is None:
        return None
    is_continued = decided.suspended_reason is not None and _find_end(job, suspension, decided, edits) is None
    return None if is_continued else _find_beginning(job, edits)


def _find_beginning(job: ScheduledJob, edits: Edits) -> datetime | None:
    """Find when the first of what suspends a schedule came; None if some of it was there before."""
    holding = [SUSPEND] if job.spec.get("suspend") else []
    if job.pause is not None and job.pause.is_in_effect(edits.now):
        holding.append(PAUSED)
    if not all(edits.may_have_changed(path) for path in holding):
        return None
    return min(edits.compute_newest(path) for path in holding)


def _find_end(
    job: ScheduledJob, suspension: Suspension | None, decided: StoredStatus, edits: Edits
) -> datetime | None:
    """Find when the suspension that was in effect ended: a timed one by itself, or earlier by a change."""
    if decided.suspended_reason is None:
        return None
    if decided.suspended_reason in OPEN_ENDED:
        is_open_ended = suspension is not None and suspension.reason in OPEN_ENDED
        return None if is_open_ended else edits.compute_newest(SUSPEND, PAUSED)
    until = decided.paused_until or edits.now
    is_same = job.pause is not None and job.pause.until == until
    if suspension is None:
        return (
            until if is_same else edits.compute_newest(SUSPEND, PAUSED)
        )  # it may have been extended meanwhile
    beginning = _find_beginning(job, edits)
    end = until if is_same else min(until, edits.compute_newest(PAUSED))
    return end if beginning is not None and end <= beginning else None
