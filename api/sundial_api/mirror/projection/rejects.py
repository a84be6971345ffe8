"""What is kept of an object that the mirror cannot take? Its name, why, and an excerpt without secrets.

Never a Pod's or a template's spec and never what a container wrote: both may hold passwords, and quarantine
is kept as long as history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from sundial_api.mirror.projection.sanitize import trim
from sundial_core.resources.messages import redact
from sundial_core.resources.raw import JsonObject

MAX_EXCERPT_CHARS = 2_000
MAX_ERROR_CHARS = 1_000

OWN_PREFIX = "sundial.dev/"
OWN_KINDS = ("TaskFunction", "ScheduledJob", "ScheduledJobRun")
PRIVATE = frozenset({"template", "jobTemplate", "args", "handler", "message"})
"""Fields that are left out, wherever they are."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Which object a value was read from; `version` is 0 where it has none that is a number."""

    kind: str
    key: str
    """Its UID, else its namespace and name."""
    namespace: str
    name: str
    version: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Reject:
    """An object that could not be taken, as a row of `scheduler_quarantine`."""

    kind: str
    key: str
    namespace: str
    resource_name: str
    resource_version: int
    epoch: int
    document: JsonObject
    error: str


def read_origin(kind: str, item: JsonObject, epoch: int) -> Origin:
    """Read what identifies an object, whatever else it says."""
    metadata = item.get("metadata")
    known: JsonObject = metadata if isinstance(metadata, dict) else {}
    ns, name = str(known.get("namespace") or ""), str(known.get("name") or "")
    return Origin(
        kind=kind,
        key=trim(str(known.get("uid") or f"{ns}/{name}"), 320) or "",
        namespace=trim(ns, 63) or "",
        name=trim(name, 253) or "",
        version=parse_version(known),
        epoch=epoch,
    )


def parse_version(metadata: JsonObject) -> int:
    """Read a resourceVersion; one that is not a number of 63 bits is older than any."""
    try:
        version = int(metadata.get("resourceVersion", 0))
    except (TypeError, ValueError):
        return 0
    return version if 0 <= version < 2**63 else 0


def build_reject(origin: Origin, error: str, item: JsonObject | None = None) -> Reject:
    """Build what is kept of an object; `item` is its JSON, where that is known."""
    return Reject(
        kind=origin.kind,
        key=origin.key,
        namespace=origin.namespace,
        resource_name=origin.name,
        resource_version=origin.version,
        epoch=origin.epoch,
        document={} if item is None else {"excerpt": _write_excerpt(origin.kind, item)},
        error=trim(redact(error, longest=2 * MAX_ERROR_CHARS), MAX_ERROR_CHARS) or "",
    )


def describe(error: Exception) -> str:
    """Describe what reading an object has led to."""
    return f"{type(error).__name__}: {error}"


def _write_excerpt(kind: str, item: JsonObject) -> str:
    """Write an object as text, redacted before it is cut."""
    try:
        text = orjson.dumps(_choose(kind, item), default=str).decode()
    except (TypeError, RecursionError):
        return "not shown: it is nested too deep, or holds a number of more than 64 bits"
    return trim(redact(text, longest=2 * MAX_EXCERPT_CHARS), MAX_EXCERPT_CHARS) or ""


def _choose(kind: str, item: JsonObject) -> JsonObject:
    """Choose our own marks, the status, and of our own kinds the spec, without what is private."""
    metadata = item.get("metadata")
    known: JsonObject = metadata if isinstance(metadata, dict) else {}
    marks = {name: _choose_own(known.get(name)) for name in ("labels", "annotations")}
    parts = ("spec", "status") if kind in OWN_KINDS else ("status",)
    return marks | {part: _leave_out_private(item[part]) for part in parts if part in item}


def _choose_own(marks: Any) -> JsonObject:
    if not isinstance(marks, dict):
        return {}
    return {name: value for name, value in marks.items() if str(name).startswith(OWN_PREFIX)}


def _leave_out_private(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _leave_out_private(part) for name, part in value.items() if name not in PRIVATE}
    if isinstance(value, list):
        return [_leave_out_private(part) for part in value]
    return value
