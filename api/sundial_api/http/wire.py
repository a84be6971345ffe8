"""What do requests and answers look like in JSON? camelCase out, either case in, instants in UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from sundial_core.resources.nesting import MAX_LEVELS

INT64_END = 2**63
PLAIN = r"^[^\x00]*$"
"""Text without the NUL character, which neither a Pod's environment nor Postgres takes."""


class WireModel(BaseModel):
    """A request or an answer; fields that are not known are ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, from_attributes=True, use_attribute_docstrings=True
    )


class WireRequest(WireModel):
    """The body of a request; a value has the type that the contract names, no text stands for a number."""

    model_config = ConfigDict(strict=True, json_schema_extra={"type": "object"})


def _as_utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


Instant = Annotated[datetime, AfterValidator(_as_utc)]
"""An instant that is written in UTC with `Z`."""

Text = Annotated[str, StringConstraints(pattern=PLAIN)]


def check_json(value: dict[str, Any]) -> dict[str, Any]:
    """Check that JSON of any shape survives the cluster and the database; raises ValueError."""
    level: list[Any] = [value]
    for _ in range(MAX_LEVELS):
        level = [inner for outer in level for inner in _open(outer)]
        if not level:
            return value
    raise ValueError(f"is nested more than {MAX_LEVELS} levels deep")


def _open(value: object) -> list[Any]:
    """Give what is inside a value, keys included; raises ValueError for one that would not survive."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, list):
        return value
    if isinstance(value, str) and ("\x00" in value or not _is_unicode(value)):
        raise ValueError("has text with a NUL character or half of a surrogate pair")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("has a number that JSON does not know")
    if isinstance(value, int) and not -INT64_END <= value < INT64_END:
        raise ValueError("has a whole number of more than 64 bits")
    return []


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


FreeJson = Annotated[dict[str, Any], AfterValidator(check_json)]
"""A JSON object of any shape."""
