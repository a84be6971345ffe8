"""What of a stored status can be read: the CRD accepts more than any version has written.

Who may write a status may write anything there that its schema allows. What cannot be read is left out, and
written anew with the next patch. The rules: docs/semantics.md, "What cannot be read".
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sundial_clock.instants import (
    EARLIEST,
    LATEST,
    format_instant,
    parse_instant,
)
from sundial_core.resources.names import compute_named_for
from sundial_core.resources.phases import RESULTS, Trigger, Verdict
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import Reason

USUAL = re.compile(
    r"(?:19[7-9]\d|[2-8]\d{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ"
)
"""Instants that need not be read in order to know that they can be."""

TIMES = frozenset({"slot", "from", "to", "since", "startedAt", "completedAt", "retryAt", "until"})
LAST_TIMES = ("nextRunTime", "lastScheduleTime", "lastRunTime", "lastSuccessTime", "lastFailureTime")

CONDITION = {"type", "status", "lastTransitionTime"}
TRIGGERS = [trigger.value for trigger in Trigger]
REASONS = [reason.value for reason in Reason]

MAX_ENTRIES = {"active": 500, "queued": 200, "recentSlots": 1000, "ranges": 1000}
"""How many entries of a list are read: about twice of what is written, of the 10,000 that the CRD accepts."""

RANGE_MARGIN = timedelta(days=8)
"""How far a range may lie beyond creation and cursor: clocks differ, and a create that is tried again for the
catch-up window, a week at most, holds the cursor back."""

Check = Callable[[JsonObject], bool]


def keep_readable(status: JsonObject, created_at: datetime) -> tuple[JsonObject, JsonObject]:
    """Leave out of a ScheduledJob's status what cannot be read; give those fields as they are.

    Nothing can wait since before `created_at`, when the object was.
    """
    kept = _keep_entries(status, LISTS)
    kept |= _keep_possible(kept, created_at)
    for name in LAST_TIMES:
        if name in kept and not is_instant(kept[name]):
            del kept[name]
    if kept.get("lastResult", RESULTS[0]) not in RESULTS:
        del kept["lastResult"]
    for name in ("cursor", "effectiveFrom"):
        if name in kept and not is_instant(kept[name]):
            kept[name] = format_instant(LATEST)
    for name in ("paused", "seen"):
        if not _has_instants(kept.get(name) or {}):
            del kept[name]
    omitted = kept.get("activeOmitted")
    if omitted is not None:
        kept["activeOmitted"] = _keep_entries(omitted, {"ranges": _is_range})
    return _tell(status, kept)


def keep_readable_of_run(status: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Leave out of a ScheduledJobRun's status what cannot be read; give those fields as they are."""
    kept = _keep_entries(status, {"conditions": is_condition})
    for name in ("startedAt", "completedAt"):
        if name in kept and not is_instant(kept[name]):
            del kept[name]
    if "verdict" not in kept and kept.get("reason", REASONS[0]) not in REASONS:
        del kept["reason"]
    return _tell(status, kept)


def keep_readable_of_function(status: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Leave out of a TaskFunction's status what cannot be read; give those fields as they are."""
    return _tell(status, _keep_entries(status, {"conditions": is_condition}))


def _keep_possible(status: JsonObject, created_at: datetime) -> JsonObject:
    """Leave out slots of lists that cannot be: they would have to be counted, or to be started."""
    kept: JsonObject = {}
    if status.get("queued"):
        kept["queued"] = [entry for entry in status["queued"] if parse_instant(entry["slot"]) >= created_at]
    if status.get("recentSlots"):
        kept["recentSlots"] = _keep_possible_ranges(status["recentSlots"], created_at, status.get("cursor"))
    return kept


def _keep_possible_ranges(
    entries: list[JsonObject], created_at: datetime, cursor: str | None
) -> list[JsonObject]:
    """Leave out ranges of slots that no release writes: their slots may have to be counted.

    A range lies between the creation and the cursor, and no two have slots in common: of those that do the
    shorter one stays. So all of them together are no longer than the object is old.
    """
    ranges = {n: _parse_range(entry) for n, entry in enumerate(entries) if _is_written_as_range(entry)}
    if not ranges:
        return entries
    until = parse_instant(cursor) if cursor and is_instant(cursor) else created_at
    low, high = created_at - RANGE_MARGIN, min(until, LATEST - RANGE_MARGIN) + RANGE_MARGIN
    kept: list[tuple[datetime, datetime]] = []
    possible = set()
    for number in sorted(ranges, key=lambda n: ranges[n][1] - ranges[n][0]):
        first, last = ranges[number]
        place = bisect_left(kept, (first, last))
        is_apart = (place == 0 or kept[place - 1][1] < first) and (
            place == len(kept) or last < kept[place][0]
        )
        if low <= first <= last <= high and is_apart:
            kept.insert(place, (first, last))
            possible.add(number)
    return [entry for n, entry in enumerate(entries) if n in possible or n not in ranges]


def _is_written_as_range(entry: JsonObject) -> bool:
    return "from" in entry and "slot" not in entry and "runId" not in entry


def _parse_range(entry: JsonObject) -> tuple[datetime, datetime]:
    return parse_instant(entry["from"]), parse_instant(entry["to"])


def _tell(status: JsonObject, kept: JsonObject) -> tuple[JsonObject, JsonObject]:
    changed = {name: value for name, value in status.items() if kept.get(name) != value}
    return (kept if changed else status), changed


def is_instant(text: str) -> bool:
    """Tell whether an instant can be read and counted from."""
    if USUAL.fullmatch(text):
        return True
    try:
        return EARLIEST <= parse_instant(text) <= LATEST
    except ValueError:
        return False


def is_condition(entry: JsonObject) -> bool:
    """Tell whether a condition says what is so, and since when."""
    return entry.keys() >= CONDITION and is_instant(entry["lastTransitionTime"])


def _keep_entries(status: JsonObject, checks: Mapping[str, Check]) -> JsonObject:
    lists = {
        name: [entry for entry in status[name][: MAX_ENTRIES.get(name)] if is_good(entry)]
        for name, is_good in checks.items()
        if name in status
    }
    return status | lists


def _has_instants(entry: JsonObject) -> bool:
    return all(is_instant(value) for name, value in entry.items() if name in TIMES)


def _is_active(entry: JsonObject) -> bool:
    """Tell whether an active run says what it is for; when it started is not in its entry."""
    has_job = {"runId", "job"} <= entry.keys()
    return has_job and _has_right_name(entry) and _is_run({"startedAt": format_instant(EARLIEST)} | entry)


def _has_right_name(entry: JsonObject) -> bool:
    """Tell whether the Job has the name that this attempt of the run must have."""
    return bool(compute_named_for(entry["job"], entry["runId"], entry.get("attempt", 1)))


def _is_run(entry: JsonObject) -> bool:
    """Tell whether a run says what it is for."""
    trigger = entry.get("trigger", Trigger.SCHEDULE)
    needed = "slot" if trigger == Trigger.SCHEDULE else "startedAt"
    return trigger in TRIGGERS and needed in entry and _has_instants(entry)


def _is_recent(entry: JsonObject) -> bool:
    """Tell whether an entry can be read; of that of a slot's run its slot is."""
    if "runId" not in entry:
        return _is_verdict(entry)
    if entry.get("result", RESULTS[0]) not in RESULTS:
        return False
    if entry.get("trigger") == Trigger.SCHEDULE:
        return "slot" in entry and is_instant(entry["slot"])
    return _is_run(entry)


def _is_verdict(entry: JsonObject) -> bool:
    is_span = ("slot" in entry or _is_range(entry)) and "result" not in entry
    return is_span and _has_instants(entry) and entry.get("verdict") in (Verdict.SKIPPED, Verdict.MISSED)


def _is_range(entry: JsonObject) -> bool:
    return {"from", "to"} <= entry.keys() and _has_instants(entry)


def _is_queued(entry: JsonObject) -> bool:
    return {"slot", "since"} <= entry.keys() and _has_instants(entry) and entry.get("reason") in REASONS


LISTS: dict[str, Check] = {
    "conditions": is_condition,
    "active": _is_active,
    "queued": _is_queued,
    "recentSlots": _is_recent,
}
