"""Who wrote which field that decides about slots, and when, as managedFields tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sundial_clock.instants import parse_instant
from sundial_core.resources import names

SPEC = "spec"
SCHEDULE = "spec.schedule"
SUSPEND = "spec.suspend"
PAUSED = names.PAUSED
LEVELS = 2
"""How deep the fields of a schedule lie: `cron`, and `cronFields.hour`."""


@dataclass(frozen=True, slots=True)
class Writing:
    """An entry of managedFields: which fields a manager holds, and when it last added or changed anything.

    `fields` are the paths of those that matter here, SPEC for any of the spec. A server-side apply of what is
    there already may take hold of a field and leave the time as it was, or have none.
    """

    at: datetime | None
    is_apply: bool
    fields: frozenset[str]


def parse_writings(metadata: Mapping[str, Any]) -> tuple[Writing, ...]:
    """Read what managedFields says of users: entries of the status are the operator's."""
    entries = metadata.get("managedFields") or ()
    return tuple(_parse_writing(entry) for entry in entries if entry.get("subresource") != "status")


def _parse_writing(entry: Mapping[str, Any]) -> Writing:
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
