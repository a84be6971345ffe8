"""What users have changed of a schedule and its holds since slots were decided last, and when.

The API server moves a time in managedFields only for what is added or changed. A removal leaves no trace, or
takes the entry away, so that its time is never known: it counts from when it is first seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from sundial_clock.instants import format_instant, parse_instant
from sundial_core import names
from sundial_core.model import JsonObject

if TYPE_CHECKING:
    from sundial_core.objects import ScheduledJob

SPEC = "spec"
SCHEDULE = "spec.schedule"
SUSPEND = "spec.suspend"
PAUSED = names.PAUSED

LEVELS = 2
"""How deep the fields of a schedule lie: `cron`, and `cronFields.hour`."""

MOST_FIELDS = 40
"""How many fields of a schedule are told apart; the CRD has fewer."""


@dataclass(frozen=True, slots=True)
class Writing:
    """An entry of managedFields: which fields a manager holds, and when it last added or changed anything.

    `fields` are the paths of those that matter here, SPEC for any of the spec. A server-side apply of what is
    there already may take hold of a field and leave the time as it was, or have none.
    """

    at: datetime | None
    is_apply: bool
    fields: frozenset[str]


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

    def find_newest(self, *paths: str) -> datetime:
        """Find when the newest of the changes at or under these paths was made: now, if none is known."""
        dates = (self.dates or {}).items()
        return max((date for path, date in dates if path.startswith(paths)), default=self.now)


def read_writings(metadata: Mapping[str, Any]) -> tuple[Writing, ...]:
    """Read what managedFields says of users: entries of the status are the operator's."""
    entries = metadata.get("managedFields") or ()
    return tuple(_read_writing(entry) for entry in entries if entry.get("subresource") != "status")


def find_edits(job: ScheduledJob, seen: JsonObject | None, now: datetime) -> Edits:
    """Compare an object with what was `seen` of it when slots were decided last."""
    fields = read_fields(job)
    then = (seen or {}).get("fields")
    if seen and then == fields:
        return Edits(now, {}, seen)
    until = max(filter(None, (writing.at for writing in job.writings)), default=None)
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
    if len(fields) > MOST_FIELDS:
        fields = {SCHEDULE: schedule}
    if "suspend" in job.spec:
        fields[SUSPEND] = job.spec["suspend"]
    if job.pause_text is not None:
        fields[PAUSED] = job.pause_text
    return {path: _fingerprint(value) for path, value in fields.items()}


def _date(job: ScheduledJob, path: str, known: datetime | None, now: datetime) -> datetime:
    """Date the value of a field that is there; `known` is the newest time that was seen with the old one."""
    written = _find_written(job, path)
    return min(written, now) if written is not None and known is not None and written > known else now


def _find_written(job: ScheduledJob, path: str) -> datetime | None:
    """Find by when a field had the value that it has, if managedFields tells.

    Whoever holds it without having applied it wrote that value. One who applied it may have found it there,
    from another who holds nothing any more: a hotfix that was applied over it and then given up.
    """
    writers = [writing for writing in job.writings if path in writing.fields and not writing.is_apply]
    return max(filter(None, (writing.at for writing in writers)), default=None)


def _read_writing(entry: Mapping[str, Any]) -> Writing:
    at = parse_instant(entry["time"]) if entry.get("time") else None
    held = _share(frozenset(_list_held(entry.get("fieldsV1") or {})))
    return Writing(at, entry.get("operation") == "Apply", held)


@lru_cache(maxsize=1024)
def _share(fields: frozenset[str]) -> frozenset[str]:
    """Keep one of equal sets: ten thousand schedules have a handful."""
    return fields


def _list_held(fields: Mapping[str, Any]) -> Iterator[str]:
    annotations = (fields.get("f:metadata") or {}).get("f:annotations") or {}
    if f"f:{names.PAUSED}" in annotations:
        yield PAUSED
    spec = fields.get("f:spec")
    if spec is None:
        return
    yield SPEC
    if "f:suspend" in spec:
        yield SUSPEND
    yield from _list_leaves(spec.get("f:schedule") or {}, SCHEDULE, LEVELS)


def _list_leaves(node: Mapping[str, Any], path: str, levels: int) -> Iterator[str]:
    for name, below in node.items():
        if not name.startswith("f:"):
            continue
        here = f"{path}.{name[2:]}"
        if not below:
            yield here
        elif levels > 1:
            yield from _list_leaves(below, here, levels - 1)


def _list_values(value: Any, path: str, levels: int) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict) or not levels:
        yield path, value
        return
    for name, below in value.items():
        yield from _list_values(below, f"{path}.{name}", levels - 1)


def _fingerprint(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]
