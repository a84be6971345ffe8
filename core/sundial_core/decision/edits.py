"""What users have changed of a schedule and its suspensions since slots were decided last, and when.

The API server moves a time in managedFields only for what is added or changed. A removal leaves no trace, or
takes the entry away, so that its time is never known: it counts from when it is first seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from sundial_clock.instants import format_instant, parse_instant
from sundial_core.resources.managed_fields import LEVELS, PAUSED, SCHEDULE, SUSPEND, is_believable
from sundial_core.resources.raw import JsonObject

if TYPE_CHECKING:
    from sundial_core.resources.objects import ScheduledJob


MAX_FIELDS = 40
"""How many fields of a schedule are told apart; the CRD has fewer."""


@dataclass(frozen=True, slots=True)
class Edits:
    """What has changed since slots were decided last: `dates` has when, by the path of the field.

    It is None where no status tells what there was then. `seen` is what there is now, for the next status.
    """

    now: datetime
    dates: Mapping[str, datetime] | None
    seen: JsonObject

    def may_have_changed(self, path: str) -> bool:
        """Tell whether a field has changed, as far as that is known."""
        return self.dates is None or path in self.dates

    def compute_newest(self, *paths: str) -> datetime:
        """Compute when the newest change at or under these paths was made; now, if none is known."""
        dates = (self.dates or {}).items()
        return max((date for path, date in dates if path.startswith(paths)), default=self.now)


def compute_edits(job: ScheduledJob, seen: JsonObject | None, now: datetime) -> Edits:
    """Compare an object with what was `seen` of it when slots were decided last."""
    fields = read_fields(job)
    then = (seen or {}).get("fields")
    if seen and then == fields:
        return Edits(now, {}, seen)
    until = _find_newest(job, now)
    new = ({"until": format_instant(until)} if until else {}) | {"fields": fields}
    if not seen or then is None:
        return Edits(now, None, new)
    known = parse_instant(seen["until"]) if "until" in seen else None
    changed = {path for path, _ in fields.items() ^ then.items()}
    dates = {path: _date(job, path, known, now) if path in fields else now for path in changed}
    return Edits(now, dates, new)


def was_written_since_creation(job: ScheduledJob) -> bool:
    """Tell whether something of the spec or the pause was written after the object was created."""
    times = (writing.at for writing in job.writings if writing.fields)
    return job.generation > 1 or any(time is not None and time > job.created_at for time in times)


def read_fields(job: ScheduledJob) -> dict[str, str]:
    """Read the fields that decide which slots count: a fingerprint of each value, by the field's path."""
    schedule = job.spec.get("schedule")
    fields = dict(_list_values(schedule, SCHEDULE, LEVELS))
    if len(fields) > MAX_FIELDS:
        fields = {SCHEDULE: schedule}
    if "suspend" in job.spec:
        fields[SUSPEND] = job.spec["suspend"]
    if job.pause_text is not None:
        fields[PAUSED] = job.pause_text
    return {path: _fingerprint(value) for path, value in fields.items()}


def _find_newest(job: ScheduledJob, now: datetime) -> datetime | None:
    """Find the newest time of a user's entry; one of the future would hide all later ones."""
    times = filter(None, (writing.at for writing in job.writings))
    return max((at for at in times if is_believable(at, now)), default=None)


def _date(job: ScheduledJob, path: str, known: datetime | None, now: datetime) -> datetime:
    """Date the value of a field that is there; `known` is the newest time that was seen with the old one."""
    written = _find_written(job, path)
    return min(written, now) if written is not None and known is not None and written > known else now


def _find_written(job: ScheduledJob, path: str) -> datetime | None:
    """Find the time by which a field had its present value, if managedFields tells.

    Whoever holds it without having applied it wrote that value. One who applied it may have found it there,
    from another who holds nothing any more: a hotfix that was applied over it and then given up.
    """
    writers = [writing for writing in job.writings if path in writing.fields and not writing.is_apply]
    return max(filter(None, (writing.at for writing in writers)), default=None)


def _list_values(value: Any, path: str, levels: int) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict) or not levels:
        yield path, value
        return
    for name, below in value.items():
        yield from _list_values(below, f"{path}.{name}", levels - 1)


def _fingerprint(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]
