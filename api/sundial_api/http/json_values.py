"""Which JSON of any shape can be kept, and which two values are the same?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from sundial_api.http.invalid_values import UnfitValue
from sundial_clock.sentences import say
from sundial_core.resources.nesting import MAX_LEVELS

INT64_END = 2**63


def check_json(value: dict[str, Any]) -> dict[str, Any]:
    """Check that JSON of any shape survives the cluster and the database; raises ValueError."""
    for number, level in enumerate(_list_levels(value)):
        if number >= MAX_LEVELS:
            raise UnfitValue(say("is nested more than {limit} levels deep", limit=MAX_LEVELS))
        if any(_is_long(inner) for inner in level):
            raise UnfitValue(say("has a whole number of more than 64 bits"))
    return value


def check_shown_json(value: dict[str, Any]) -> dict[str, Any]:
    """Check that JSON can be what an answer has shown; raises ValueError.

    What others wrote may be nested deeper than a request may nest, and a large fraction is shown as a whole
    number.
    """
    for _ in _list_levels(value):
        pass
    return value


def is_same_json(one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON, however deep: 1 and 1.0 are, 1 and true are not."""
    pairs = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
            pairs += [(value, other[name]) for name, value in one.items()]
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            pairs += zip(one, other, strict=True)
        elif not _is_same_leaf(one, other):
            return False
    return True


def _is_same_leaf(one: Any, other: Any) -> bool:
    if isinstance(one, dict | list | bool) or isinstance(other, dict | list | bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return _keep_number(one) == _keep_number(other)
    return bool(one == other)


def _keep_number(number: float) -> float:
    """Give a number as the API server keeps it: what is no 64-bit integer is a fraction."""
    try:
        return float(number) if _is_long(number) else number
    except OverflowError:
        return math.inf


def _list_levels(value: dict[str, Any]) -> Iterator[list[Any]]:
    """List what a value holds, level by level; raises ValueError for what would not survive."""
    level: list[Any] = [value]
    while level:
        yield level
        level = [inner for outer in level for inner in _open(outer)]


def _open(value: object) -> list[Any]:
    """Give what is inside a value, keys included; raises ValueError for one that would not survive."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, list):
        return value
    if isinstance(value, str) and ("\x00" in value or not _is_unicode(value)):
        raise UnfitValue(say("has text with a NUL character or half of a surrogate pair"))
    if isinstance(value, float) and not math.isfinite(value):
        raise UnfitValue(say("has a number that JSON does not know"))
    return []


def _is_long(value: object) -> bool:
    return isinstance(value, int) and not -INT64_END <= value < INT64_END


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
