"""What may checking arguments by a schema cost? Reckoned before anything is compiled or checked.

Nothing can end a check that is under way, and it holds up whoever asks: so only a schema that is known to be
cheap is compiled, and only arguments that it checks in little time are checked. The unit is about 30 ns: one
value of a schema looked at for one value of the arguments.

Of references only those into the schema itself are taken, written out wherever they stand: a few lines of
them can ask for more work than there is time. One that leads to itself has no end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sundial_clock.sentences import Sentence, say

Place = tuple[str | int, ...]
"""Names and numbers that lead to a value."""

MAX_WEIGHT = 65_536
"""How much a schema may weigh: about so many values with all references written out."""
MAX_HEIGHT = 128
"""How deep a schema may be with all references written out."""

FORMAT = 200
FRACTION = 2000
"""`multipleOf` is exact: a fraction goes through numbers of hundreds of digits."""
FACTOR = 100
PATTERN = 50
UNEVALUATED = 4
"""How often `unevaluatedProperties` and `unevaluatedItems` look at all that is beside them again."""
UNICODE_CLASS = 30
TEXT_UNIT = 64
"""How many characters of text are looked at in the time of one value."""

_POINTER = re.compile(r"#(?:/[^#]*)+")
_FOREIGN = ("$dynamicRef", "$recursiveRef")
_COSTLY = {"$ref", "$id", "format", "multipleOf", "pattern", "patternProperties", *_FOREIGN}
"""What may cost more than the values that it is made of."""
_WIDE = re.compile(r"\\[pPwWdDsS]|^\.$|[^\x00-\x7f]")
"""In a part of a pattern that may stand for thousands of characters."""
_TOKEN = re.compile(r"\\[pP]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{\d+(?:,\d*)?\}|.", re.DOTALL)


class Unbounded(Exception):
    """A schema that may not be compiled, with the place in it."""

    def __init__(self, place: Place, sentence: Sentence) -> None:
        super().__init__(sentence.english)
        self.place = place
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Weight:
    """What a schema costs for each value of the arguments, and for each character of their texts."""

    values: int = 1
    text: int = 0
    height: int = 1

    def __add__(self, other: Weight) -> Weight:
        """Put one beside another, or under it."""
        height = other.height + 1
        return Weight(
            self.values + other.values,
            self.text + other.text,
            height if height > self.height else self.height,
        )

    @property
    def total(self) -> int:
        """What must not be more than MAX_WEIGHT."""
        return self.values + self.text


@dataclass(frozen=True, slots=True)
class Size:
    """How large arguments are."""

    values: int
    characters: int


_SCALAR = Weight()


def weigh_schema(schema: Any) -> Weight:
    """Weigh a schema that is at most 64 levels deep; raises Unbounded."""
    return _Scale(schema).weigh(schema, ())


def measure(value: Any) -> Size:
    """Measure arguments."""
    values, characters, waiting = 0, 0, [value]
    while waiting:
        inner = waiting.pop()
        values += 1
        if isinstance(inner, Mapping):
            waiting += [*inner, *inner.values()]
        elif isinstance(inner, list):
            waiting += inner
        elif isinstance(inner, str):
            characters += len(inner)
    return Size(values + characters // TEXT_UNIT, characters)


class _Scale:
    """Weighs each part of one schema once; whatever stands in it is taken for a schema, data too."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._known: dict[int, Weight | None] = {}

    def weigh(self, value: Any, place: Place) -> Weight:
        """Weigh a value; raises Unbounded."""
        if not isinstance(value, dict | list):
            return _SCALAR
        if len(place) > MAX_HEIGHT:
            raise Unbounded(place, _say_too_deep())
        key = id(value)
        if key in self._known:
            known = self._known[key]
            if known is None:
                raise Unbounded(place, say("refers to itself; write out the levels that there may be"))
            return known
        self._known[key] = None
        found = (
            self._weigh_object(value, place) if isinstance(value, dict) else self._weigh_list(value, place)
        )
        _check(found, place)
        self._known[key] = found
        return found

    def _weigh_list(self, items: list[Any], place: Place) -> Weight:
        found = Weight(1 + sum(not isinstance(inner, dict | list) for inner in items))
        for number, inner in enumerate(items):
            if isinstance(inner, dict | list):
                found += self.weigh(inner, (*place, number))
                _check(found, place)
        return found

    def _weigh_object(self, fields: dict[str, Any], place: Place) -> Weight:
        found = Weight()
        for name, inner in fields.items():
            part = self.weigh(inner, (*place, name)) if isinstance(inner, dict | list) else _SCALAR
            if name in _COSTLY:
                part += self._weigh_keyword(name, inner, place)
            found += part
            _check(found, place)
        if "unevaluatedProperties" in fields or "unevaluatedItems" in fields:
            return Weight(found.values * UNEVALUATED, found.text * UNEVALUATED, found.height)
        return found

    def _weigh_keyword(self, name: str, value: Any, place: Place) -> Weight:
        """Weigh what a keyword asks for beside its value; the same name may be a field's."""
        here = (*place, name)
        if isinstance(value, str):
            return self._weigh_text(name, value, here)
        if name == "multipleOf" and isinstance(value, int | float):
            return Weight(FACTOR if isinstance(value, int) or value.is_integer() else FRACTION)
        if name == "patternProperties" and isinstance(value, dict):
            return sum(map(weigh_pattern, value), Weight())
        return Weight(0)

    def _weigh_text(self, name: str, value: str, here: Place) -> Weight:
        if name == "$ref":
            return self.weigh(self._find(value, here), here)
        if name in _FOREIGN:
            raise Unbounded(here, say("cannot be used; write $ref with a place such as #/$defs/name"))
        if name == "$id" and len(here) > 1:
            raise Unbounded(here, say("cannot be used inside a schema; leave it out"))
        if name == "pattern":
            return weigh_pattern(value)
        return Weight(FORMAT if name == "format" else 0)

    def _find(self, reference: str, here: Place) -> Any:
        """Find what a reference leads to."""
        if reference == "#":
            return self._root
        if not _POINTER.fullmatch(reference):
            words = say("leads out of the schema; write a place in it, such as #/$defs/name")
            raise Unbounded(here, words)
        found = self._root
        for part in unquote(reference).split("/")[1:]:
            found = _step(found, part.replace("~1", "/").replace("~0", "~"), here)
        return found


def _step(value: Any, name: str, here: Place) -> Any:
    if isinstance(value, dict) and name in value:
        return value[name]
    if isinstance(value, list) and name in map(str, range(len(value))):
        return value[int(name)]
    raise Unbounded(here, say("leads to nothing in the schema"))


def _check(weight: Weight, place: Place) -> None:
    if weight.total > MAX_WEIGHT:
        words = say(
            "asks for too much with all references and repetitions written out; at most {limit} values are"
            " possible",
            limit=MAX_WEIGHT,
        )
        raise Unbounded(place, words)
    if weight.height > MAX_HEIGHT:
        raise Unbounded(place, _say_too_deep())


def _say_too_deep() -> Sentence:
    return say("is more than {limit} levels deep with all references written out", limit=MAX_HEIGHT)


def weigh_pattern(pattern: str) -> Weight:
    """Weigh a pattern: how many characters it stands for with all counted repetitions written out."""
    open_groups, last = [0], 0
    for token in _TOKEN.findall(pattern):
        if token == "(":
            open_groups.append(0)
            last = 0
        elif token == ")" and len(open_groups) > 1:
            last = open_groups.pop()
            open_groups[-1] += last
        elif len(token) > 2 and token[0] == "{":
            open_groups[-1] += last * min(max(_read_times(token) - 1, 0), MAX_WEIGHT)
        else:
            last = UNICODE_CLASS if _WIDE.search(token) else 1
            open_groups[-1] += last
        if open_groups[-1] > MAX_WEIGHT:
            break
    return Weight(PATTERN, 2 * sum(open_groups))


def _read_times(token: str) -> int:
    """Read how often a part is repeated at most, of a text such as {2}, {2,} and {2,5}."""
    lowest, _, highest = token[1:-1].partition(",")
    return int((highest or lowest)[:9])
