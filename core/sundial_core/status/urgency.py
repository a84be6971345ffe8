"""How soon the status of a ScheduledJob has to be written.

That of a ScheduledJobRun is written SOON, always; that of a TaskFunction at most every three seconds
(`sundial_operator/outputs/function_statuses.py`).
"""

from __future__ import annotations

from datetime import timedelta
from enum import IntEnum

from sundial_core.resources.phases import Phase
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import ConditionType


class Urgency(IntEnum):
    """How soon a status has to be written; what may wait is written together with what follows."""

    NONE = 0
    LAZY = 1
    SOON = 2
    NOW = 3


STATUS_DELAYS = {
    Urgency.NOW: timedelta(0),
    Urgency.SOON: timedelta(seconds=0.2),
    Urgency.LAZY: timedelta(seconds=3),
}
"""How long a status waits for what may follow, so that one write tells it all."""

LAZY_SPACING = timedelta(milliseconds=40)
MAX_LAZY_DELAY = timedelta(seconds=30)
"""In a burst those that may wait go one by one: most of the runs end before their turn comes."""


def decide_urgency(old: JsonObject, new: JsonObject) -> Urgency:
    """Decide how soon a status has to be written: users wait for acceptance, nobody for a phase.

    A run that is being created or has just started may wait a moment, so that one write tells that it runs,
    or even that it has ended. A first `seen` goes along with the next write: a CRD of an older version would
    not keep it, and so it would be written for ever.
    """
    changed = {name for name in {*old, *new} if _read_compared(old, name) != _read_compared(new, name)}
    changed -= set() if "seen" in old else {"seen"}
    if not changed:
        return Urgency.NONE
    is_awaited = bool(changed & {"observedGeneration", "scheduleText", "paused"})
    if is_awaited or _ready(old) != _ready(new) or _starts_waiting(old, new):
        return Urgency.NOW
    has_result = changed & {"lastResult", "lastSuccessTime", "lastFailureTime"}
    is_starting = any(entry["phase"] == Phase.PENDING for entry in new.get("active", ()))
    is_lazy = is_starting or changed <= {"active", "activeOmitted", "nextRunTime", "upcomingRuns", "seen"}
    return Urgency.LAZY if is_lazy and not has_result else Urgency.SOON


def _starts_waiting(old: JsonObject, new: JsonObject) -> bool:
    """Tell whether a slot has begun to wait: under Replace a run goes on until that is stored."""
    known = [entry["slot"] for entry in old.get("queued", ())]
    return any(entry["slot"] not in known for entry in new.get("queued", ()))


def _read_compared(status: JsonObject, name: str) -> object:
    """Read a field without ClockTrusted, which changes for all schedules at once: it can wait."""
    value = status.get(name)
    if name != "conditions":
        return value
    return [condition for condition in value or () if condition["type"] != ConditionType.CLOCK_TRUSTED]


def _ready(status: JsonObject) -> list[tuple[str, str]]:
    """Read what people and programs wait for: the conditions that say whether runs will start."""
    waited_for = (ConditionType.READY, ConditionType.SUSPENDED)
    return [
        (c["status"], c.get("reason", "")) for c in status.get("conditions", ()) if c["type"] in waited_for
    ]
