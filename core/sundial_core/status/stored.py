"""Reads back what the operator has stored in a ScheduledJob's status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sundial_clock.instants import parse_instant
from sundial_core.resources.phases import Trigger
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import ConditionType, Reason
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.run import Run
from sundial_core.status.omitted import Omitted, parse_omitted
from sundial_core.status.queued import QueueEntry, parse_queue
from sundial_core.status.ranges import Range, Ranges, build_ranges

READY_REASONS_OF_VALID_SPECS = frozenset({Reason.NEVER_FIRES, Reason.IN_THE_PAST})
"""Reasons of Ready=False that say something of the slots, not of the spec."""


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """A stored status, read back; instants in UTC."""

    observed_generation: int | None
    schedule_hash: str | None
    effective_from: datetime | None
    cursor: datetime | None
    was_valid: bool
    suspended_reason: str | None
    """The reason of Suspended=True."""
    paused_until: datetime | None
    """The end of a timed pause."""
    seen: JsonObject | None
    """What users had written then; None of a status of an older version."""
    active: Mapping[str, JsonObject]
    """The entries of active runs, by run id."""
    omitted: Omitted
    """Which active runs have no entry."""
    runs: frozenset[str]
    """The ids of the runs that it knows."""
    results: frozenset[str]
    """The ids of the runs whose result it has."""
    without_run: Ranges
    """The slots of its entries that say that nothing was started."""
    queued: tuple[QueueEntry, ...]
    """The slots that wait for a place."""
    queued_slots: frozenset[datetime]
    conditions: Mapping[str, JsonObject]
    status: JsonObject

    def is_queued(self, slot: datetime | None) -> bool:
        """Tell whether a slot waits, as far as this status knows."""
        return slot in self.queued_slots

    def omits(self, run: ObservedJob | Run) -> bool:
        """Tell whether a run of a slot is active, as far as this status knows, although it is not listed."""
        if not self.omitted.count or run.trigger is not Trigger.SCHEDULE or run.slot is None:
            return False
        if not self.omitted.ranges.cover(run.slot):
            return False
        is_known = run.run_id in self.active or run.run_id in self.results
        return not is_known and not self.is_queued(run.slot)

    def list_ended(self) -> list[JsonObject]:
        """Find the entries of runs that have a result."""
        return [entry for entry in self.status.get("recentSlots") or () if "result" in entry]


def parse_stored_status(status: JsonObject) -> StoredStatus:
    """Read a status; fields that are absent are None or empty."""
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    suspended = conditions.get(ConditionType.SUSPENDED) or {}
    entries = status.get("recentSlots") or ()
    queued = parse_queue(status.get("queued") or ())
    return StoredStatus(
        observed_generation=status.get("observedGeneration"),
        schedule_hash=status.get("scheduleHash"),
        effective_from=_instant(status, "effectiveFrom"),
        cursor=_instant(status, "cursor"),
        was_valid=_was_valid(conditions.get(ConditionType.READY)),
        suspended_reason=suspended.get("reason") if suspended.get("status") == "True" else None,
        paused_until=_instant(status.get("paused") or {}, "until"),
        seen=status.get("seen"),
        active={entry["runId"]: entry for entry in status.get("active") or ()},
        omitted=parse_omitted(status.get("activeOmitted") or {}),
        runs=frozenset(entry["runId"] for entry in entries if "runId" in entry),
        results=frozenset(entry["runId"] for entry in entries if "result" in entry),
        without_run=build_ranges(_parse_span(entry) for entry in entries if "runId" not in entry),
        queued=queued,
        queued_slots=frozenset(entry.slot for entry in queued),
        conditions=conditions,
        status=status,
    )


def _was_valid(ready: Mapping[str, Any] | None) -> bool:
    if ready is None or ready.get("status") == "True":
        return True
    return ready.get("reason") in READY_REASONS_OF_VALID_SPECS


def _instant(fields: Mapping[str, Any], name: str) -> datetime | None:
    text = fields.get(name)
    return parse_instant(text) if text else None


def _parse_span(entry: JsonObject) -> Range:
    first, last = entry.get("slot") or entry["from"], entry.get("slot") or entry["to"]
    return parse_instant(first), parse_instant(last)
