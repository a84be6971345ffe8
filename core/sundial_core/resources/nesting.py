"""How deep values are nested: the API server takes 10,000 levels, and few of them can be written again."""

from __future__ import annotations

from typing import Any

MAX_LEVELS = 64
"""How deep a field that users nest as they like may be."""

CUT_LEVELS = 200
"""How much of an object is read: what lies deeper is cut off, and far beyond what may be acted on."""

CUT_OFF = "(nested too deeply)"


def is_nested_deeper(value: Any, levels: int) -> bool:
    """Tell whether a value has more levels of maps and lists, itself included."""
    if isinstance(value, dict):
        return levels <= 0 or any(is_nested_deeper(below, levels - 1) for below in value.values())
    if isinstance(value, list):
        return levels <= 0 or any(is_nested_deeper(below, levels - 1) for below in value)
    return False


def cut_off(value: Any, levels: int) -> Any:
    """Copy a value with CUT_OFF instead of the maps and lists beyond so many levels."""
    if not isinstance(value, dict | list):
        return value
    if levels <= 0:
        return CUT_OFF
    if isinstance(value, dict):
        return {name: cut_off(below, levels - 1) for name, below in value.items()}
    return [cut_off(below, levels - 1) for below in value]
