"""What do requests and answers look like in JSON? camelCase out, either case in, instants in UTC."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from sundial_api.http.errors import Invalid
from sundial_api.http.invalid_values import PLAIN, UnfitValue
from sundial_api.http.json_values import check_json, check_shown_json
from sundial_clock.instants import EARLIEST, LATEST, parse_instant
from sundial_clock.sentences import say

FLOAT_END = 2**53
"""From here on a number with a fraction does not tell which whole number was meant."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(\.0*)?")


class WireModel(BaseModel):
    """A request or an answer; fields that are not known are ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, from_attributes=True, use_attribute_docstrings=True
    )
    DERIVED: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The fields that are not one column each, with the columns that they are made of."""

    def derive(self, context: object) -> None:
        """Fill in the fields that are no columns; the context is what an answer depends on besides rows."""


class WireRequest(WireModel):
    """The body of a request; docs/api-contract.md, "Wire conventions", says what stands for a number.

    A key that is a field's but for case and underscores is refused: it would be left out in silence.
    """

    model_config = ConfigDict(strict=True, json_schema_extra={"type": "object"})
    TAKES_OTHERS: ClassVar[bool] = True
    """Whether keys that are no field's are ignored: a form may send back all that it was shown."""

    @model_validator(mode="before")
    @classmethod
    def check_keys(cls, value: object) -> object:
        """Check the keys of a body; raises Invalid."""
        if isinstance(value, Mapping):
            aliases = [field.alias or name for name, field in cls.model_fields.items()]
            for key in value.keys() - {*cls.model_fields, *aliases}:
                _check_key(str(key), aliases, takes_others=cls.TAKES_OTHERS)
        return value


class StrictRequest(WireRequest):
    """The body of an endpoint of our own, whose keys are all known."""

    model_config = ConfigDict(json_schema_extra={"type": "object", "additionalProperties": False})
    TAKES_OTHERS: ClassVar[bool] = False


def _check_key(key: str, aliases: Sequence[str], *, takes_others: bool) -> None:
    alike = [alias for alias in aliases if _fold(alias) == _fold(key)]
    if alike:
        raise Invalid(("body", key), say("is written {name} here", name=alike[0]))
    if not takes_others:
        names = ", ".join(aliases)
        raise Invalid(("body", key), say("is not known here; what can be given is {names}", names=names))


def _fold(key: str) -> str:
    return key.replace("_", "").lower()


def _as_utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


Instant = Annotated[datetime, AfterValidator(_as_utc)]
"""An instant that is written in UTC with `Z`."""


def read_instant(value: object) -> datetime:
    """Read an instant of a request; raises ValueError, without the value in it."""
    try:
        instant = parse_instant(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None:
        raise UnfitValue(
            say("is no instant; write a date, a time and an offset, such as 2026-12-01T08:00:00Z")
        )
    if not EARLIEST <= instant < LATEST:
        raise UnfitValue(
            say(
                "is not between 1970 and 8999; write a date, a time and an offset,"
                " such as 2026-12-01T08:00:00Z"
            )
        )
    return instant


GivenInstant = Annotated[
    datetime, BeforeValidator(read_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""An instant in a request: RFC 3339 with an offset, between 1970 and 8999."""

Text = Annotated[str, StringConstraints(pattern=PLAIN)]


def read_whole(value: object) -> int | None:
    """Read a whole number as forms write it: `5`, `"5"` or `5.0`; None where something would be lost."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < FLOAT_END else None
    if isinstance(value, str) and _WHOLE.fullmatch(text := value.strip()):
        return int(text.partition(".")[0])
    return None


def _take_whole(value: object) -> int:
    number = read_whole(value)
    if number is None:
        raise PydanticCustomError("whole_number", "is no whole number; write one, such as 5")
    return number


def _take_flag(value: object) -> object:
    flag = {"true": True, "false": False}.get(value) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        raise PydanticCustomError("true_or_false", "is neither true nor false; write one of them")
    return flag


WHOLE = BeforeValidator(_take_whole)
"""Takes a whole number in any form in which nothing of it is lost; stands last, behind the limits."""

WholeNumber = Annotated[int, WHOLE]
"""A whole number without limits."""

Flag = Annotated[bool, BeforeValidator(_take_flag)]
"""true or false, as text too."""


FreeJson = Annotated[dict[str, Any], AfterValidator(check_json)]
"""A JSON object of any shape."""

ShownJson = Annotated[dict[str, Any], AfterValidator(check_shown_json)]
"""A JSON object as an answer may have it: beyond what may be written, until it is to be written."""
