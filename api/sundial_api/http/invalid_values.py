"""What is wrong with a value of a request, and where it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sundial_clock.sentences import Sentence, SentenceValue, say

PYDANTIC = "pydantic:"
"""How templates of pydantic's own messages begin in a catalogue; the kind of the error follows."""


@dataclass(frozen=True, slots=True)
class InvalidValue:
    """A value that cannot be used, with its place, such as ("body", "scheduleConfig", "hours")."""

    loc: tuple[str | int, ...]
    sentence: Sentence
    type: str = "value_error"


class UnfitValue(ValueError):
    """What a check of our own says of a value to pydantic."""

    def __init__(self, sentence: Sentence) -> None:
        super().__init__(sentence.english)
        self.sentence = sentence


MISSING = Sentence(f"{PYDANTIC}missing", "Field required")


PLAIN = r"^[^\x00]*$"
"""Text without the NUL character, which neither a Pod's environment nor Postgres takes."""
KUBERNETES_NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""What namespaces and containers are called."""
PATTERNS = {
    PLAIN: say("has a NUL character; leave it out"),
    KUBERNETES_NAME: say(
        "is no name in Kubernetes; write small letters, digits and, between them, hyphens, such as team-a"
    ),
}
"""What a text that does not match lacks, in words."""
_PREFIX = re.compile("^(?:Value|Assertion) error, ")
_QUOTED = re.compile("'([^']*)'")


def describe_error(found: Mapping[str, Any], place: tuple[str | int, ...] = ()) -> InvalidValue:
    """Describe an error of pydantic's, in its own words; `place` is where the checked value is."""
    return InvalidValue((*place, *found["loc"]), _say_error(found), found["type"])


def _say_error(found: Mapping[str, Any]) -> Sentence:
    """Say it in words of our own where there are some."""
    context = found.get("ctx") or {}
    if isinstance(unfit := context.get("error"), UnfitValue):
        return unfit.sentence
    if context.get("pattern") in PATTERNS:
        return PATTERNS[context["pattern"]]
    values = {name: _read_value(value) for name, value in context.items()}
    if "expected" in context:  # 'a', 'b' or 'c': the word between them is English
        values["expected"] = ", ".join(_QUOTED.findall(context["expected"])) or context["expected"]
    return Sentence(PYDANTIC + found["type"], _PREFIX.sub("", found["msg"]), tuple(values.items()))


def _read_value(value: object) -> SentenceValue:
    return value if isinstance(value, str | int | float) else str(value)
