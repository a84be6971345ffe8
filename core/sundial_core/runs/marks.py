"""What the marks of a Job say, and which of them somebody has changed.

Who may write a Job may change its labels and annotations at any time, those of its Pod template only while it
is suspended: which attempt a Job is, is read there (docs/semantics.md, "Marks that were changed").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject

MAX_ATTEMPTS = 100
"""More than any run can have: ten retries and three disruptions beside the first."""

MAX_SECONDS = 604_800
"""The longest deadline that a spec may ask for: a week."""

UNKNOWN_SECONDS = 300
"""The deadline of an attempt when nobody knows any more what it was: the default."""


class Fixed(NamedTuple):
    """What tells which attempt a Job is, as it is written. Its Pod template has it too."""

    run: str | None = None
    trigger: str | None = None
    attempt: str | None = None
    slot: str | None = None


FIXED_NAMES = (names.RUN, names.TRIGGER, names.ATTEMPT, names.SCHEDULED_FOR)


def list_fixed(item: JsonObject) -> list[Fixed]:
    """List what tells which attempt a Job is: the marks of its Pod template, if they are there, and its own.

    Where the two differ the Job's name proves one: a template can be changed while its Job is suspended.
    """
    template = (item.get("spec") or {}).get("template")
    fixed = _parse_fixed(template.get("metadata")) if template else None
    shown = _parse_fixed(item["metadata"])
    return [shown] if fixed is None or fixed.run is None or fixed == shown else [fixed, shown]


def read_attempt(text: str) -> int:
    """Read the number of an attempt; raises ValueError when it is none."""
    number = int(text)
    if not 1 <= number <= MAX_ATTEMPTS:
        raise ValueError(f"{text!r} is no number of an attempt")
    return number


def parse_counts(annotations: Mapping[str, str], attempt: int) -> tuple[int, int]:
    """Read how many attempts before this one used up the count, and how many were disrupted.

    Together they are all that there were; where the marks say otherwise, all used up the count.
    """
    try:
        retries, disruptions = (int(annotations.get(name, "0")) for name in _COUNTS)
    except ValueError:
        return max(0, attempt - 1), 0
    is_sum = retries >= 0 and disruptions >= 0 and retries + disruptions == attempt - 1
    return (retries, disruptions) if is_sum else (max(0, attempt - 1), 0)


TTL = "ttlSecondsAfterFinished"
"""A field of Jobs that we never set: one that has it may be deleted before the end of its run is stored."""

_COUNTS = (names.RETRIES_USED, names.DISRUPTIONS)


def parse_timeout(item: JsonObject) -> int:
    """Read the deadline that an attempt was given, in seconds; 0 while its spec is not known."""
    annotations = _annotations_of(item)
    if names.TIMEOUT in annotations:
        return _parse_seconds(annotations[names.TIMEOUT]) or UNKNOWN_SECONDS
    spec = item.get("spec") or {}
    seconds = spec.get("activeDeadlineSeconds") or (MAX_SECONDS if "template" in spec else 0)
    return min(int(seconds), MAX_SECONDS)


def parse_start_timeout(annotations: Mapping[str, str]) -> int:
    """Read within how many seconds an attempt has to start; 0 where nothing is said."""
    return _parse_seconds(annotations.get(names.START_TIMEOUT, "0"))


def list_changed_marks(item: JsonObject, fixed: Sequence[Fixed], counts: tuple[int, int]) -> tuple[str, ...]:
    """Find the marks of a Job that are not as they were, or cannot be read, beside what is right."""
    annotations = _annotations_of(item)
    found: list[str] = []
    if len(fixed) > 1:
        found += [name for name, one, other in zip(FIXED_NAMES, *fixed, strict=True) if one != other]
    counted = zip(_COUNTS, counts, strict=True)
    found += [name for name, count in counted if annotations.get(name, "0") != str(count)]
    seconds = (names.TIMEOUT, names.START_TIMEOUT)
    found += [name for name in seconds if name in annotations and not _parse_seconds(annotations[name])]
    if (item.get("spec") or {}).get(TTL) is not None:
        found.append(TTL)
    return tuple(found)


def _parse_seconds(text: str) -> int:
    """Read a number of seconds from 1 to a week; 0 for anything else."""
    try:
        seconds = int(text)
    except ValueError:
        return 0
    return seconds if 1 <= seconds <= MAX_SECONDS else 0


def _parse_fixed(metadata: Mapping[str, Any] | None) -> Fixed:
    labels: Mapping[str, str] = (metadata or {}).get("labels") or {}
    annotations: Mapping[str, str] = (metadata or {}).get("annotations") or {}
    return Fixed(
        labels.get(names.RUN),
        labels.get(names.TRIGGER),
        annotations.get(names.ATTEMPT),
        annotations.get(names.SCHEDULED_FOR),
    )


def _annotations_of(item: JsonObject) -> Mapping[str, str]:
    annotations: Mapping[str, str] = item["metadata"].get("annotations") or {}
    return annotations
