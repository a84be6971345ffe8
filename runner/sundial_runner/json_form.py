"""What does a value look like as JSON? What has no form there becomes text; nothing is refused."""

from __future__ import annotations

import datetime
import enum
import json
import math
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Union

    Json = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]

DEEPEST = 12
"""How deep objects and lists may lie in each other."""
MOST_PARTS = 524_288
"""How many parts of a value are looked at: more have no room in any message, and cycles end there too."""
LONGEST_LIST = 262_144
"""How many of one part, so that what is beside it is kept."""
LONGEST_TEXT = 1_000_000
"""Characters of a text that are looked at: a thousandth of it would fit into a message."""
LARGEST_INTEGER = 2**63


def to_json(value: Any, depth: int = 0, room: list[int] | None = None) -> Json:
    """Make a value JSON; `room` has how many more parts are looked at."""
    try:
        return _convert(value, depth, [MOST_PARTS] if room is None else room)
    except Exception:  # noqa: BLE001 - any class may fail to describe itself
        return _name_type(value)


def _convert(value: Any, depth: int, room: list[int]) -> Json:
    if isinstance(value, enum.Enum):
        return to_json(value.value, depth + 1, room)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if -LARGEST_INTEGER <= value < LARGEST_INTEGER else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, (bytes, bytearray)):
        return clean_text(bytes(value).decode("utf-8", "backslashreplace"))
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return _convert_parts(value, depth, room)


def _convert_parts(value: Any, depth: int, room: list[int]) -> Json:
    """Convert what has parts; of anything else, and of what lies too deep, a text."""
    if depth >= DEEPEST or room[0] <= 0:
        return _name_type(value)
    if isinstance(value, dict):
        parts = _take(value.items(), room)
        return {clean_text(str(key)): to_json(one, depth + 1, room) for key, one in parts}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(one, depth + 1, room) for one in _take(value, room)]
    if isinstance(value, type):
        return clean_text(str(value))
    if callable(getattr(value, "model_dump", None)):  # pydantic
        return to_json(value.model_dump(mode="json"), depth + 1, room)
    if hasattr(value, "__dataclass_fields__"):
        names = _take(value.__dataclass_fields__, room)
        return {name: to_json(getattr(value, name), depth + 1, room) for name in names}
    return clean_text(str(value))


def _take(parts: Iterable[Any], room: list[int]) -> Iterator[Any]:
    """Take parts one after another, as long as there is room."""
    for part in islice(parts, LONGEST_LIST):
        if room[0] <= 0:
            return
        room[0] -= 1
        yield part


def _name_type(value: object) -> str:
    return f"<{type(value).__name__}>"


def clean_text(text: str) -> str:
    """Put U+FFFD for lone surrogates, which UTF-8 cannot say, and keep the beginning of an endless text."""
    kept = str.__str__(text)[:LONGEST_TEXT]
    try:
        kept.encode()
    except UnicodeEncodeError:
        return kept.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return kept


def encode(value: Json) -> bytes:
    """Encode JSON as UTF-8, as short as it gets."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def measure(value: Json) -> int:
    """Measure how many bytes a value takes."""
    return len(encode(value))
