"""What did a container tell of its run? Its termination message, where that is of our protocol.

Pure. Everything else that a container wrote may hold secrets, and is nobody's business here. The rules:
docs/custom-resources.md, "What a container can report".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sundial_api.mirror.projection.sanitize import change_texts, clean_json, parse_uuid, quote
from sundial_core.resources.messages import redact
from sundial_core.resources.raw import JsonObject
from sundial_runner.json_form import to_json
from sundial_runner.redaction import Redactor

MARKER, VERSION = "sundial", 1
LONGEST_MESSAGE = 16_384
"""Characters; the kubelet keeps 12 KiB of all containers of a Pod together, and 4 KiB of one."""
LONGEST_LINE = 262_144
"""Bytes of a message as the last line of a log."""
BEGINNING = b'{"sundial":'
"""Of a line that follows what another program has left without a line end."""
MOST_BEGINNINGS = 8
"""At how many places of a text a message is looked for: a runtime puts its own words before it."""
MOST_PATHS = 3
LONGEST_PATH = 64
MAX_ERROR_CHARS = 2000
MAX_TRACEBACK_CHARS = 65_536

_REDACTOR = Redactor({})


@dataclass(frozen=True, slots=True)
class RunMessage:
    """What a container told; `truncated` are paths of what it left out, `task_id` is of a Celery task."""

    result: JsonObject | None = None
    error: str | None = None
    traceback: str | None = None
    task_id: str | None = None
    truncated: list[str] = field(default_factory=list)


def parse_message(text: object, longest: int = LONGEST_MESSAGE) -> RunMessage | None:
    """Read a message, redacted; None for what is not of the protocol, whatever it is."""
    if not isinstance(text, str) or MARKER not in text or len(text) > longest:
        return None
    said = next((found for found in _list_values(text) if _is_marked(found)), None)
    if said is None:
        return None
    task = said.get("task")
    return RunMessage(
        result=_read_result(said.get("result")),
        error=_read_text(said.get("error"), MAX_ERROR_CHARS),
        traceback=_read_text(said.get("traceback"), MAX_TRACEBACK_CHARS),
        task_id=_read_id(task.get("id")) if isinstance(task, dict) else None,
        truncated=_read_paths(said.get("truncated")),
    )


def parse_last_line(log: bytes) -> RunMessage | None:
    """Read the message that is the last line of a log; None where that is none, or tells no result."""
    line = log.rstrip(b"\r\n").rpartition(b"\n")[2]
    text = line[max(0, line.find(BEGINNING)) :].decode(errors="replace")
    message = parse_message(text, LONGEST_LINE)
    return message if message is not None and message.result is not None else None


def lacks_result(paths: Iterable[str]) -> bool:
    """Tell whether what was left out is of the result."""
    return any(path == "result" or path.startswith("result.") for path in paths)


def _list_values(text: str) -> Iterator[Any]:
    """Read a text as JSON: as a whole, else what follows a runtime's `words: `."""
    begin = 0
    for _ in range(MOST_BEGINNINGS):
        with suppress(ValueError, RecursionError):
            yield json.loads(text[begin:])
        begin = text.find(": {", begin) + 2
        if begin < 2:
            return


def _is_marked(value: Any) -> bool:
    return isinstance(value, dict) and value.get(MARKER) == VERSION and value[MARKER] is not True


def _read_result(value: Any) -> JsonObject | None:
    """Read a result: an object as it is, any other value as that of `result`."""
    if value is None:
        return None
    shown = value if isinstance(value, dict) else {"result": value}
    hidden = _REDACTOR.redact_value(to_json(shown))
    redacted: JsonObject = clean_json(change_texts(hidden, _redact_whole))
    return redacted


def _redact_whole(text: str) -> str:
    return redact(text, longest=len(text))


def _read_text(value: Any, limit: int) -> str | None:
    if not isinstance(value, str):
        return None
    return quote(_REDACTOR.redact_text(str(to_json(value))), limit)


def _read_id(value: Any) -> str | None:
    return parse_uuid(value) if isinstance(value, str) else None


def _read_paths(value: Any) -> list[str]:
    texts = [_read_text(one, LONGEST_PATH) for one in value[:MOST_PATHS]] if isinstance(value, list) else ()
    return [text for text in texts if text]
