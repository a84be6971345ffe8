"""How are texts and instants of the cluster made fit for a column? Trimmed, and without NULs and secrets."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import orjson

from sundial_clock.instants import format_instant, parse_instant
from sundial_core.resources.messages import redact
from sundial_core.resources.readable import is_instant

USUAL_CHARS = len("2026-01-01T00:00:00Z")
NUL = "\x00"
REPLACEMENT = "\ufffd"
"""What stands for a NUL, which Postgres takes neither in text nor in JSON."""
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""What turns the direction of all text beside it."""


def trim(text: str | None, limit: int) -> str | None:
    """Cut a text to a column's width; an empty one is none."""
    if not text:
        return None
    if NUL in text:
        text = text.replace(NUL, REPLACEMENT)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def quote(text: str | None, limit: int) -> str | None:
    """Cut what others wrote to a column's width, without what looks like a secret or turns the text."""
    return trim(_TURNING.sub("", redact(text, longest=2 * limit)), limit) if text else None


def fit_instant(text: Any) -> str | None:
    """Give an instant between 1970 and 9000 in UTC; any other, and what is none, is None.

    Postgres holds some that Python cannot read back, and then nobody can read the row.
    """
    if not isinstance(text, str) or not is_instant(text):
        return None
    return text if len(text) == USUAL_CHARS else format_instant(parse_instant(text))


def plain(instant: str) -> str:
    """Make instants in UTC comparable as text, with a fraction and without."""
    return instant.removesuffix("Z")


def require_instant(text: Any) -> str:
    """Give an instant as `fit_instant`; raises ValueError where there is none."""
    instant = fit_instant(text)
    if instant is None:
        raise ValueError(f"{text!r} is no instant between 1970 and 9000")
    return instant


def clean_json(value: Any) -> Any:
    """Take NULs out of a JSON value, wherever they are."""
    if b"u0000" not in orjson.dumps(value):
        return value
    return change_texts(value, lambda text: text.replace(NUL, REPLACEMENT))


def change_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Change each text of a JSON value, names too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [change_texts(entry, change) for entry in value]
    if isinstance(value, dict):
        return {change(name): change_texts(entry, change) for name, entry in value.items()}
    return value


def parse_uuid(text: str | None) -> str | None:
    """Read a UUID that somebody wrote; anything else is none."""
    try:
        return str(uuid.UUID(text)) if text else None
    except ValueError:
        return None
