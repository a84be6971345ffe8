"""Do arguments fit the parametersSchema of a TaskFunction? Asked by the operator and by the API.

Nothing is fetched or read from files, no default is applied and nothing converted. Patterns are those of
RE2: a look-around or a back reference takes time that nobody can bound. Rules and limits:
docs/custom-resources.md, "The schema of arguments".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import jsonschema_rs
import orjson

from sundial_clock.sentences import Sentence, say
from sundial_core.resources.nesting import MAX_LEVELS, is_nested_deeper
from sundial_core.resources.parameters.costs import Size, Unbounded, Weight, measure, weigh_schema
from sundial_core.resources.parameters.misfits import Misfit, build_misfit, describe_error
from sundial_core.resources.raw import JsonObject

MAX_SCHEMA_BYTES = 64 * 1024
MAX_MISFITS = 20
MAX_DESCRIBED = 5
MAX_VALUE_STEPS = 2**20
"""How much work a check may be: about 60 ms at the very worst. Text is looked at by patterns only:"""
MAX_TEXT_STEPS = 2**23
LISTED_COPIES = 2**20
"""Up to here all misfits are listed, beyond it the first one: there may be as many as steps, each with a copy
of what it is about."""
GATHERING = ("anyOf", "oneOf")
"""Of these even one misfit comes with all those of their forms: beyond that limit none is asked for."""
KEPT = 128
"""How many compiled schemas are kept: one is compiled in a millisecond, and at worst in 50."""

DRAFTS = (
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-04/schema",
)
_PATTERNS = jsonschema_rs.RegexOptions(size_limit=2**18, dfa_size_limit=2**18)
_TYPES = "array, boolean, integer, null, number, object, string"


@dataclass(frozen=True, slots=True)
class Parameters:
    """A schema that is ready to check arguments."""

    validator: jsonschema_rs.Validator
    weight: Weight
    gathers: bool = False
    """Whether one misfit may come with many."""

    def find_misfits(self, args: JsonObject | None) -> tuple[Misfit, ...]:
        """Find what does not fit, MAX_MISFITS at most; arguments that are left out are an empty object."""
        given = args or {}
        if is_nested_deeper(given, MAX_LEVELS):
            return (_say_too_deep(),)
        size = measure(given)
        if self._count_steps(size) > MAX_VALUE_STEPS or self.weight.text * size.characters > MAX_TEXT_STEPS:
            words = say("is too much to be checked by so large a schema; pass large data by reference")
            return (Misfit((), words),)
        return self._check(given, size)

    def _count_steps(self, size: Size) -> int:
        return self.weight.values * size.values

    def _check(self, args: JsonObject, size: Size) -> tuple[Misfit, ...]:
        try:
            if self.validator.is_valid(args):
                return ()
            may_list = self._count_steps(size) * size.values <= LISTED_COPIES
            if self.gathers and not may_list:
                return (Misfit((), say("does not fit the schema, and is too much for telling where")),)
            errors = self.validator.iter_errors(args) if may_list else self._find_one(args)
            found = islice((misfit for error in errors for misfit in describe_error(error)), MAX_MISFITS)
            return tuple(found) or (Misfit((), say("does not fit the schema")),)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # noqa: BLE001 - of odd values, and what the library panics with is no Exception
            return (Misfit((), say("cannot be checked by the schema")),)

    def _find_one(self, args: JsonObject) -> Iterator[jsonschema_rs.ValidationError]:
        try:
            self.validator.validate(args)
        except jsonschema_rs.ValidationError as error:
            yield error


def prepare_parameters(schema: Any) -> Parameters | Misfit:
    """Compile a schema, unless an equal one is known; a misfit has its place in the schema."""
    try:
        text = orjson.dumps(schema)
    except orjson.JSONEncodeError:
        return _say_too_deep() if is_nested_deeper(schema, MAX_LEVELS) else Misfit((), say("is not JSON"))
    if len(text) > MAX_SCHEMA_BYTES:
        return Misfit((), say("may have at most {limit} bytes", limit=MAX_SCHEMA_BYTES))
    return compile_parameters(text)


@lru_cache(maxsize=KEPT)
def compile_parameters(text: bytes) -> Parameters | Misfit:
    """Compile a schema that is written as JSON."""
    schema = orjson.loads(text)
    if is_nested_deeper(schema, MAX_LEVELS):
        return _say_too_deep()
    try:
        weight = weigh_schema(schema)
    except Unbounded as error:
        return build_misfit(list(error.place), error.sentence)
    draft = schema.get("$schema", DRAFTS[0]) if isinstance(schema, dict) else DRAFTS[0]
    if not isinstance(draft, str) or draft.rstrip("#") not in DRAFTS:
        return Misfit(
            ("$schema",), say("is no draft that is known; leave it out, or write {draft}", draft=DRAFTS[0])
        )
    try:
        return Parameters(_compile(schema), weight, _gathers(schema))
    except jsonschema_rs.ValidationError as error:
        return _describe_invalid(error)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - as in _check
        return Misfit((), say("cannot be used as a schema"))


def _say_too_deep() -> Misfit:
    return Misfit((), say("is nested more than {limit} levels deep", limit=MAX_LEVELS))


def _gathers(schema: Any) -> bool:
    """Tell whether a keyword that gathers misfits stands anywhere in a schema."""
    waiting = [schema]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            if any(keyword in inner for keyword in GATHERING):
                return True
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner
    return False


def _compile(schema: Any) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        schema,
        offline=True,
        mask="the value",
        validate_formats=True,
        pattern_options=_PATTERNS,
    )


def _describe_invalid(error: jsonschema_rs.ValidationError) -> Misfit:
    """Say what is wrong with a schema; the library checks it by a schema of schemas."""
    found = next(describe_error(error), None) or Misfit((), say("cannot be used as a schema"))
    better = _say_better(str(found.place[-1]) if found.place else "", error)
    return found if better is None else Misfit(found.place, better)


def _say_better(keyword: str, error: jsonschema_rs.ValidationError) -> Sentence | None:
    if error.kind.name == "anyOf" and keyword == "type":
        return say("is no type; write one of {types}", types=_TYPES)
    if getattr(error.kind, "format", "") == "regex":
        return say("is no pattern that can be used: of RE2's syntax, without look-around, and not too large")
    return None


def describe_misfits(misfits: Iterable[Misfit], root: str = "spec.args") -> str:
    """Say in one line what does not fit; the first few are named."""
    return "; ".join(misfit.describe(root) for misfit in islice(misfits, MAX_DESCRIBED))
