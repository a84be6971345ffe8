"""What an API server does with times and patches, and a way to run what waits for nothing."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from typing import Any, TypeVar

T = TypeVar("T")


def floor(instant: datetime) -> datetime:
    """Cut an instant to the second, as the API server does with the times that it writes."""
    return instant.replace(microsecond=0)


def run_now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise AssertionError("the coroutine waits")


def merge(old: Any, patch: dict[str, Any]) -> dict[str, Any]:
    """Apply a merge patch (RFC 7386): null removes a field, objects merge, all else replaces."""
    merged = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        merged[name] = merge(merged.get(name), value) if isinstance(value, dict) else value
    return {name: value for name, value in merged.items() if value is not None}
