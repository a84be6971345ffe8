"""Who wrote which field that decides about slots, and when, as managedFields tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sundial_clock.instants import parse_instant
from sundial_core.resources import names
from sundial_core.resources.readable import is_instant

SPEC = "spec"
SCHEDULE = "spec.schedule"
SUSPEND = "spec.suspend"
PAUSED = names.PAUSED
LEVELS = 2
"""How deep the fields of a schedule lie: `cron`, and `cronFields.hour`."""
MAX_SKEW = timedelta(minutes=1)
"""How far the API server's clock may be from ours for the times that it writes to be believed."""


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
class UserWrite:
    """When a user last wrote an object, and as which field manager: empty where several did at that time.

    `fields` are those of which that is known that they were written by then.
    """

    at: datetime
    manager: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def holds(self, path: Iterable[str]) -> bool:
        """Tell whether a field has the value that this manager gave it: a whole one, not a part of it."""
        node: Any = self.fields
        for name in path:
            node = node.get(f"f:{name}") if isinstance(node, Mapping) else None
        return bool(node == {})


def is_believable(at: datetime, now: datetime) -> bool:
    """Tell whether a time can be when something was written: whoever may replace an object may send any.

    The rule: docs/semantics.md, "When a change was made".
    """
    return at <= now + MAX_SKEW


def parse_user_writes(metadata: Mapping[str, Any]) -> tuple[UserWrite, ...]:
    """Read who wrote an object and when, by managedFields; raises KeyError or ValueError as for any object.

    What tells no time is left out, and what is older than the object; a new one's may be a moment older.
    """
    created_at = parse_instant(metadata["creationTimestamp"])
    entries = [entry for entry in metadata.get("managedFields") or () if _is_of_user(entry)]
    told = [(_parse_time(entry), entry) for entry in entries]
    return tuple(
        UserWrite(max(at, created_at), str(entry.get("manager") or ""), _find_written(entry))
        for at, entry in told
        if at is not None and at >= created_at - MAX_SKEW
    )


def find_newest_write(writes: Iterable[UserWrite], now: datetime) -> UserWrite | None:
    """Find the newest write that can be believed; times have seconds only, so that several may be newest."""
    believable = [write for write in writes if is_believable(write.at, now)]
    at = max((write.at for write in believable), default=None)
    if at is None:
        return None
    newest = [write for write in believable if write.at == at]
    return newest[0] if len(newest) == 1 else UserWrite(at, _find_common(newest))


def _find_common(writes: Iterable[UserWrite]) -> str:
    managers = {write.manager for write in writes}
    return managers.pop() if len(managers) == 1 else ""


def _find_written(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find which fields an entry tells of; one who applied a field may have found it there."""
    fields = entry.get("fieldsV1")
    return fields if isinstance(fields, dict) and entry.get("operation") == "Update" else {}


def parse_writings(metadata: Mapping[str, Any]) -> tuple[Writing, ...]:
    """Read what managedFields says of users: entries of the status are the operator's."""
    return tuple(_parse_writing(entry) for entry in metadata.get("managedFields") or () if _is_of_user(entry))


def _is_of_user(entry: Mapping[str, Any]) -> bool:
    return entry.get("subresource") != "status"


def _parse_writing(entry: Mapping[str, Any]) -> Writing:
    held = _share(frozenset(_list_held(entry.get("fieldsV1") or {})))
    return Writing(_parse_time(entry), entry.get("operation") == "Apply", held)


def _parse_time(entry: Mapping[str, Any]) -> datetime | None:
    """Read when an entry was written; what is no time tells nothing."""
    time = entry.get("time")
    return parse_instant(time) if isinstance(time, str) and is_instant(time) else None


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
