"""Whether a ScheduledJob is suspended, by `spec.suspend` or by a pause: until when, by whom, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sundial_clock.instants import format_instant
from sundial_core.resources.objects import Pause, ScheduledJob
from sundial_core.resources.reasons import Reason


@dataclass(frozen=True, slots=True)
class Suspension:
    """Why nothing starts now; `until` is the end of a timed pause, `pause` the pause if it is one."""

    reason: Reason
    message: str
    until: datetime | None = None
    pause: Pause | None = None


def find_suspension(job: ScheduledJob, now: datetime) -> Suspension | None:
    """Tell why a schedule is held back at `now`; suspension goes before a pause."""
    if job.spec.get("suspend"):
        return Suspension(Reason.SUSPENDED, "spec.suspend is true")
    pause = job.pause
    if pause is None or not pause.is_in_effect(now):
        return None
    if pause.unreadable is not None:
        message = (
            f"the annotation sundial.dev/paused is {pause.unreadable!r}, which is neither"
            ' "true" nor an instant such as 2026-01-01T09:00:00Z; paused until it is corrected or removed'
        )
        return Suspension(Reason.PAUSE_UNREADABLE, message, pause=pause)
    if pause.until is None:
        message = f"paused by the annotation sundial.dev/paused{_describe_author(pause)}"
        return Suspension(Reason.PAUSED, message, pause=pause)
    message = f"paused until {format_instant(pause.until)}{_describe_author(pause)}"
    return Suspension(Reason.PAUSED_UNTIL, message, pause.until, pause)


def _describe_author(pause: Pause) -> str:
    """Say who paused and why, as far as they wrote it down."""
    words = ": ".join(filter(None, (pause.by, pause.reason)))
    return f" ({words})" if words else ""
