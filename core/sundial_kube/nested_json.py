"""Reads JSON of any depth that an API server sends, and keeps what can be written again.

A tenant may nest 10,000 levels into a field without a schema. Parsers stop earlier, and with them would every
list and watch of that kind: docs/semantics.md, "What cannot be read".
"""

from __future__ import annotations

import json
import sys

import orjson

from sundial_core.resources.nesting import CUT_LEVELS, cut_off
from sundial_core.resources.raw import JsonObject

RECURSION_LIMIT = 25_000
"""Python's, enough for its own parser to read 10,000 levels; that takes less than 2 MiB of the stack's 8."""


def allow_deep_json() -> None:
    """Let this process parse what the API server has stored; libraries that parse need it from the start."""
    sys.setrecursionlimit(max(RECURSION_LIMIT, sys.getrecursionlimit()))


def parse_nested(text: bytes) -> JsonObject:
    """Parse an object, with what is nested too deeply cut off; raises ValueError for what is no JSON."""
    try:
        parsed: JsonObject = orjson.loads(text)
    except orjson.JSONDecodeError:
        parsed = _parse_deep(text)
    if text.count(b"{") + text.count(b"[") <= CUT_LEVELS:
        return parsed
    return keep_writable(parsed)


def keep_writable(parsed: JsonObject) -> JsonObject:
    """Cut off what is nested too deeply, if anything is."""
    try:
        orjson.dumps(parsed)
    except TypeError:
        cut: JsonObject = cut_off(parsed, CUT_LEVELS)
        return cut
    return parsed


def _parse_deep(text: bytes) -> JsonObject:
    allow_deep_json()
    try:
        parsed: JsonObject = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return parsed
