"""What of a ScheduledJob is compared, so that the log of changes can tell what was changed?

Bounded, whatever an object holds. Arguments and template may hold secrets: of them only a hash is kept, and
it is never shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

import orjson

from sundial_api.mirror.projection.sanitize import quote, trim
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject

JobState = Mapping[str, Any]
"""Values by the path of their field; a value is a text, a number or a boolean."""

PRIVATE = ("args", "template")
HIDDEN = "(not shown)"
"""What stands for a private value in the log."""
MARKS = {
    names.PAUSED: "paused",
    names.PAUSED_BY: "pausedBy",
    names.PAUSED_REASON: "pausedReason",
    names.CANCEL: "cancel",
}
UNSHOWN = "#"
"""What the names of hashes begin with: of a value that is cut or redacted, by the path of its field."""
CALL = f"{UNSHOWN}call"
"""What the API's newest call has left of its signature. States of an older release have none."""
MAX_FIELDS = 64
MAX_CHARS = 300
MAX_PATH_CHARS = 100
LEVELS = 3
"""How deep a spec is opened: `spec.schedule.interval.hours`."""
INT64_END = 2**63


def describe_state(spec: JsonObject, annotations: Mapping[str, Any]) -> dict[str, Any]:
    """Describe what users decide of a ScheduledJob; whatever it holds, this does not raise."""
    known = {f"spec.{name}": _hash(spec[name]) for name in PRIVATE if spec.get(name) is not None}
    marks = [(field, annotations[name]) for name, field in MARKS.items() if name in annotations]
    plain = {name: value for name, value in spec.items() if name not in PRIVATE}
    leaves = [leaf for leaf in _list_leaves("spec", plain, LEVELS) if leaf[1] is not None]
    for path, value in [*marks, *sorted(leaves, key=itemgetter(0))][: MAX_FIELDS - len(known)]:
        name = trim(path, MAX_PATH_CHARS) or path
        known[name] = _describe_value(value)
        if isinstance(known[name], str) and known[name] != _write(value):
            known[UNSHOWN + name] = _hash(value)
    return known | {CALL: _hash(annotations.get(names.UPDATED_STATE))}


def compare(before: JobState, after: JobState) -> list[JsonObject]:
    """List the fields that differ, each with its value before and after; null where it is not there."""
    fields = {name for name in before.keys() | after.keys() if not name.startswith(UNSHOWN)}
    return [
        {"field": name, "before": _show(name, before), "after": _show(name, after)}
        for name in sorted(fields)
        if _differs(name, before, after)
    ]


def locate(field: str) -> list[str]:
    """Find where a field is in the object."""
    mark = next((name for name, told in MARKS.items() if told == field), None)
    return field.split(".") if mark is None else ["metadata", "annotations", mark]


def join(older: Iterable[JsonObject], newer: Iterable[JsonObject]) -> list[JsonObject]:
    """Join two changes into one: all that either has touched, also what is again as it was before both."""
    fields = {change["field"]: change for change in older}
    for change in newer:
        name = change["field"]
        fields[name] = _follow(fields[name], change) if name in fields else change
    return [change for _, change in sorted(fields.items())]


def undo(after: JobState, fields: Iterable[JsonObject], like: JobState) -> dict[str, Any]:
    """Give the state before a change; values that are not shown are as in a state that looks like it."""
    before = dict(after)
    for change in fields:
        name, value = change["field"], change["before"]
        before.pop(name, None)
        before.pop(UNSHOWN + name, None)
        if value is not None:
            is_alike = _show(name, like) == value
            before |= _pick(name, like) if is_alike else {name: value}
    return before


def keep_touched(left: list[JsonObject], fields: Iterable[JsonObject]) -> list[JsonObject]:
    """Add to what is left of a change the fields that were touched more than once in it."""
    there = {change["field"] for change in left}
    again = [change for change in fields if _count(change) > 1 and change["field"] not in there]
    return sorted([*left, *again], key=itemgetter("field"))


def _follow(first: JsonObject, then: JsonObject) -> JsonObject:
    return then | {"before": first["before"], "changes": _count(first) + _count(then)}


def _count(change: JsonObject) -> int:
    return int(change.get("changes", 1))


def _differs(name: str, before: JobState, after: JobState) -> bool:
    """Tell whether a field differs, also in what is not shown of it, where both states know that."""
    if before.get(name) != after.get(name):
        return True
    knows = CALL in before and CALL in after
    return knows and before.get(UNSHOWN + name) != after.get(UNSHOWN + name)


def _pick(name: str, state: JobState) -> dict[str, Any]:
    return {key: state[key] for key in (name, UNSHOWN + name) if key in state}


def _show(name: str, state: JobState) -> Any:
    value = state.get(name)
    is_private = name.removeprefix("spec.") in PRIVATE
    return HIDDEN if is_private and value is not None else value


def _list_leaves(path: str, value: Any, levels: int) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict) or levels == 0:
        yield path, value
        return
    for name, below in value.items():
        yield from _list_leaves(f"{path}.{name}", below, levels - 1)


def _describe_value(value: Any) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -INT64_END <= value < INT64_END else str(value)[:MAX_CHARS]
    return quote(_write(value), MAX_CHARS) or ""


def _write(value: Any) -> str:
    return value if isinstance(value, str) else _dump(value).decode()


def _hash(value: Any) -> str:
    return hashlib.sha256(_dump(value)).hexdigest()[:16]


def _dump(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, RecursionError):
        return b"(cannot be written)"
