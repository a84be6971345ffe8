"""What is wrong with a value by a JSON Schema, in words: its place and what it lacks, never the value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from jsonschema_rs import ValidationError

from sundial_clock.sentences import Sentence, say
from sundial_core.resources.parameters.costs import Place

MAX_VALUE_CHARS = 60
MAX_OPTIONS = 8
MAX_PLACE_PARTS = 16
MAX_PART_CHARS = 64
MAX_BRANCHES = 8
"""Of how many alternatives it is found out what they have in common."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value that does not fit a schema; the place is where it is, or where it is missing."""

    place: Place
    sentence: Sentence

    def describe(self, root: str) -> str:
        """Say it in one line of English, as a condition does."""
        return f"{'.'.join([root, *map(str, self.place)])}: {self.sentence.english}"


def describe_error(error: ValidationError) -> Iterator[Misfit]:
    """Describe an error of a check; where fields are missing or not known, each of them."""
    kind, place = error.kind, error.instance_path
    match kind.name:
        case "required":
            yield build_misfit([*place, kind.value], say("is required"))
        case "additionalProperties" | "unevaluatedProperties":
            names = getattr(kind, "unexpected", ())
            yield from (build_misfit([*place, name], say("is not known here")) for name in names)
        case "falseSchema" if error.schema_path[-1:] == ["additionalProperties"]:
            yield build_misfit(place, say("has fields, and none are known here"))
        case _:
            yield build_misfit(place, _say(error))


def build_misfit(place: list[str | int], sentence: Sentence) -> Misfit:
    """Build one, of a place that may be long."""
    parts = place[:MAX_PLACE_PARTS]
    return Misfit(
        tuple(cut(part, MAX_PART_CHARS) if isinstance(part, str) else part for part in parts), sentence
    )


def cut(text: str, longest: int) -> str:
    """Shorten a text."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _say(error: ValidationError) -> Sentence:
    kind = error.kind
    if kind.name == "anyOf" and (types := _find_types(error)):
        return say("is not of type {types}", types=types)
    make = SENTENCES.get(type(kind).__name__)
    return say("does not fit the schema") if make is None else make(kind)


def _find_types(error: ValidationError) -> str:
    """Find which types a value may have where that is all its alternatives ask for."""
    branches: list[list[ValidationError]] = getattr(error.kind, "context", [])
    if len(branches) > MAX_BRANCHES:
        return ""
    found = [branch[0] for branch in branches if len(branch) == 1]
    is_same = [one.kind.name == "type" and one.instance_path == error.instance_path for one in found]
    return _list_types(found) if all(is_same) and len(found) == len(branches) else ""


def _list_types(errors: list[ValidationError]) -> str:
    return ", ".join(name for error in errors for name in getattr(error.kind, "types", ()))


def _say_options(kind: Any) -> Sentence:
    options = list(kind.options)
    shown = ", ".join(map(_show, options[:MAX_OPTIONS]))
    if len(options) <= MAX_OPTIONS:
        return say("is not one of {options}", options=shown)
    return say("is not one of {options} and {count} more", options=shown, count=len(options) - MAX_OPTIONS)


def _show(value: Any) -> str:
    """Show a value of a schema as JSON."""
    try:
        text = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        text = str(value)
    return cut(text, MAX_VALUE_CHARS)


SENTENCES: Mapping[str, Callable[[Any], Sentence]] = {
    "Type": lambda kind: say("is not of type {types}", types=", ".join(kind.types)),
    "Enum": _say_options,
    "Constant": lambda kind: say("is not {value}", value=_show(kind.expected_value)),
    "Minimum": lambda kind: say("is less than the minimum of {limit}", limit=_show(kind.limit)),
    "Maximum": lambda kind: say("is greater than the maximum of {limit}", limit=_show(kind.limit)),
    "ExclusiveMinimum": lambda kind: say("is not greater than {limit}", limit=_show(kind.limit)),
    "ExclusiveMaximum": lambda kind: say("is not less than {limit}", limit=_show(kind.limit)),
    "MultipleOf": lambda kind: say("is not a multiple of {factor}", factor=_show(kind.multiple_of)),
    "MinLength": lambda kind: say("has fewer characters than {limit}", limit=_show(kind.limit)),
    "MaxLength": lambda kind: say("has more characters than {limit}", limit=_show(kind.limit)),
    "Pattern": lambda kind: say("does not match {pattern}", pattern=cut(kind.pattern, MAX_VALUE_CHARS)),
    "Format": lambda kind: say("is not of the format {format}", format=cut(kind.format, MAX_VALUE_CHARS)),
    "MinItems": lambda kind: say("has fewer items than {limit}", limit=_show(kind.limit)),
    "MaxItems": lambda kind: say("has more items than {limit}", limit=_show(kind.limit)),
    "AdditionalItems": lambda _: say("has more items than are known"),
    "UnevaluatedItems": lambda _: say("has more items than are known"),
    "UniqueItems": lambda _: say("has an item twice"),
    "Contains": lambda _: say("has too few or too many items of the kind that must be among them"),
    "MinProperties": lambda kind: say("has fewer fields than {limit}", limit=_show(kind.limit)),
    "MaxProperties": lambda kind: say("has more fields than {limit}", limit=_show(kind.limit)),
    "PropertyNames": lambda _: say("has a field whose name is not allowed"),
    "FalseSchema": lambda _: say("is not allowed here"),
    "Not": lambda _: say("is of a form that is not allowed"),
    "AnyOf": lambda _: say("is of none of the forms that are allowed"),
    "OneOfNotValid": lambda _: say("is of none of the forms that are allowed"),
    "OneOfMultipleValid": lambda _: say("is of several forms of which it may have one"),
}
"""By the library's name for what is wrong; anything else does not fit the schema."""
