"""Sets back instants that lie in the API server's future, before anything is decided.

They were written by a process whose clock was ahead. Up to a minute ahead is accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sundial_clock.instants import format_instant, parse_instant
from sundial_core.decision.installation import (
    MAX_SKEW,
    InstallationState,
    Trust,
    describe_skew,
)
from sundial_core.resources.phases import Trigger
from sundial_core.resources.plans import Plan, Problem
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import ConditionType, Reason
from sundial_core.status.conditions import Condition, build_conditions
from sundial_core.status.stored import StoredStatus
from sundial_core.status.unstored_verdicts import cut_verdict
from sundial_core.status.verdicts import VerdictRecord

if TYPE_CHECKING:
    from sundial_core.decision.remembered import Remembered
    from sundial_core.decision.snapshot import Snapshot

NEVER = datetime.min.replace(tzinfo=UTC)
RESET_SHOWN = timedelta(hours=1)
"""For how long a status tells that its cursor was reset."""


def with_clock_reset(snapshot: Snapshot, now: datetime) -> Snapshot:
    """Set back what is ahead of the API server's clock; `memory.reset_at` then is the instant."""
    job, memory = snapshot.job, snapshot.memory
    date = (now - snapshot.installation.skew).replace(microsecond=0)
    stored = [_instant(job.status, name) for name in ("cursor", "effectiveFrom")]
    written = [job.created_at, memory.decided_until, *stored]
    if memory.reset_at is None and not any(
        instant is not None and is_future(instant, date) for instant in written
    ):
        return snapshot
    is_ahead = any(instant is not None and is_future(instant, date) for instant in stored)
    reset_at = (memory.reset_at or date) if is_ahead else None
    if is_future(job.created_at, date):
        job = replace(job, created_at=reset_at or min(filter(None, stored), default=date))
    if reset_at is not None:
        job = replace(job, status=_set_back_status(job.status, reset_at, date))
    return replace(snapshot, job=job, memory=_set_back_memory(memory, reset_at, date, snapshot.plan))


def is_future(instant: datetime, date: datetime) -> bool:
    """Tell whether an instant is more than a minute ahead."""
    return instant > date + MAX_SKEW


def pass_on(known: datetime | None, new: datetime) -> datetime:
    """Move an instant forward; move it back only if the known one lies in the future."""
    return new if known is None or is_future(known, new) else max(known, new)


def decide_clock_condition(
    installation: InstallationState, stored: StoredStatus, snapshot: Snapshot, now: datetime
) -> Condition | None:
    """Tell whether the clock is trusted; None while there never was a reason to doubt."""
    kind, reset_at = ConditionType.CLOCK_TRUSTED, snapshot.memory.reset_at
    if reset_at is not None:
        return Condition(kind, False, Reason.CURSOR_AHEAD, _describe_reset(reset_at))
    if installation.trust is not Trust.IN_STEP:
        return _describe_doubt(installation)
    known = stored.conditions.get(kind)
    if known is None:
        return None
    is_recent = parse_instant(known["lastTransitionTime"]) > now - RESET_SHOWN
    if known.get("reason") == Reason.CURSOR_AHEAD and is_recent:
        return Condition(kind, False, Reason.CURSOR_AHEAD, known.get("message", ""))
    return Condition(kind, True, Reason.CLOCK_IN_STEP, "the operator's clock agrees with the API server's")


def tell_frozen(snapshot: Snapshot, now: datetime) -> JsonObject:
    """Build the status of a schedule while the clock is not trusted: it stays as it is.

    One exception: when a slot is due by the API server's clock, the status says once why it does not start.
    """
    date = now - snapshot.installation.skew
    status = snapshot.memory.decided or snapshot.job.status
    due_at = _instant(status, "nextRunTime")
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    known = conditions.get(ConditionType.CLOCK_TRUSTED) or {}
    if due_at is None or due_at > date or known.get("reason") == Reason.CLOCK_UNTRUSTED:
        return status
    aspects = [_describe_doubt(snapshot.installation)]
    (told,) = build_conditions(aspects, conditions, snapshot.job.generation, date)
    return status | {"conditions": [*(conditions | {ConditionType.CLOCK_TRUSTED: told}).values()]}


def compute_frozen_requeue(snapshot: Snapshot, now: datetime) -> datetime | None:
    """Find when, by the local clock, a slot will be due by the API server's."""
    due_at = _instant(snapshot.job.status, "nextRunTime")
    local = due_at + snapshot.installation.skew if due_at is not None else None
    return local if local is not None and local > now else None


def _describe_doubt(installation: InstallationState) -> Condition:
    kind, said = ConditionType.CLOCK_TRUSTED, describe_skew(installation.skew)
    if installation.trust is Trust.SKEWED:
        return Condition(kind, False, Reason.CLOCK_SKEWED, said)
    return Condition(kind, False, Reason.CLOCK_UNTRUSTED, f"{said}: nothing starts until they agree")


def _describe_reset(reset_at: datetime) -> str:
    return (
        "the stored cursor or effectiveFrom was ahead of the API server's clock and was reset to"
        f" {format_instant(reset_at)}; slots after it are decided anew unless they have a Job"
    )


def _set_back_status(status: JsonObject, reset_at: datetime, date: datetime) -> JsonObject:
    """Set back the instants, and drop the verdicts without a run on slots that are still to come."""
    entries = status.get("recentSlots") or ()
    kept = [
        entry
        for entry in entries
        if "runId" in entry or (_begin(entry) <= reset_at and not is_future(_end(entry), date))
    ]
    ahead = [name for name in ("cursor", "effectiveFrom") if _is_ahead(status, name, date)]
    return status | dict.fromkeys(ahead, format_instant(reset_at)) | {"recentSlots": kept}


def drop_future(
    verdicts: Iterable[VerdictRecord], date: datetime, plan: Plan | Problem | None
) -> tuple[VerdictRecord, ...]:
    """Drop verdicts on slots that are more than a minute ahead."""
    schedule, until = plan.schedule if isinstance(plan, Plan) else None, date + MAX_SKEW
    cut = (cut_verdict(record, NEVER, until, schedule) for record in verdicts)
    return tuple(record for record in cut if record is not None)


def _set_back_memory(
    memory: Remembered, reset_at: datetime | None, date: datetime, plan: Plan | Problem
) -> Remembered:
    decided_until, decided = memory.decided_until, memory.decided
    if decided_until is not None and is_future(decided_until, date):
        decided_until = reset_at or date
    if reset_at is not None and decided:
        decided = _set_back_status(decided, reset_at, date)
    verdicts = drop_future(memory.verdicts, date, plan)
    return replace(memory, decided_until=decided_until, verdicts=verdicts, decided=decided, reset_at=reset_at)


def list_started_ahead(stored: StoredStatus) -> frozenset[datetime]:
    """Find the slots past the cursor that are stored as started: by a reset, or as their Jobs are gone."""
    if stored.cursor is None:
        return frozenset()
    found: set[datetime] = set()
    for entry in stored.status.get("recentSlots") or ():
        if entry.get("trigger") == Trigger.SCHEDULE and "slot" in entry:
            slot = parse_instant(entry["slot"])
            if slot <= stored.cursor:
                break
            found.add(slot)
    return frozenset(found)


def _begin(entry: JsonObject) -> datetime:
    return parse_instant(entry.get("slot") or entry["from"])


def _end(entry: JsonObject) -> datetime:
    return parse_instant(entry.get("slot") or entry["to"])


def _is_ahead(status: JsonObject, name: str, date: datetime) -> bool:
    instant = _instant(status, name)
    return instant is not None and is_future(instant, date)


def _instant(status: JsonObject, name: str) -> datetime | None:
    text = status.get(name)
    return parse_instant(text) if text else None
