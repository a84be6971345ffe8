"""Which fields of an answer are wanted? `?fields=` names them; what is not named is neither read nor sent.

docs/api-contract.md, "Chosen fields".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Generic, TypeVar, cast

from fastapi import Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from sundial_api.http.errors import Invalid
from sundial_api.http.wire import WireModel
from sundial_clock.sentences import say

MAX_TEXT = 2_000

_ONLY_THESE = (
    "Only these fields, in camelCase with commas between them; of a list, of its rows."
    " The answer has no others, whatever its schema requires."
)
FieldNames = Annotated[str | None, Field(max_length=MAX_TEXT, description=_ONLY_THESE)]
Fields = Annotated[str | None, Query(max_length=MAX_TEXT, description=_ONLY_THESE)]
Model = TypeVar("Model", bound=WireModel)
Answer = TypeVar("Answer", bound=WireModel)


@dataclass(frozen=True, slots=True)
class FieldChoice(Generic[Model]):
    """The fields that are wanted of a model, by their names here."""

    model: type[Model]
    names: tuple[str, ...]
    is_narrowed: bool
    context: object = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that these fields need."""
        needed = (self.model.DERIVED.get(name, (name,)) for name in self.names)
        return tuple(dict.fromkeys(column for columns in needed for column in columns))

    def read(self, row: Mapping[str, Any]) -> Model:
        """Read a row, which has these fields at least; those that are not wanted are not there afterwards."""
        if not self.is_narrowed:
            return self.model.model_validate(row, context=self.context)
        checks = _build_checks(self.model)
        there = [name for name in dict.fromkeys([*self.columns, *self.names]) if name in row]
        values = {name: checks[name].validate_python(row[name]) for name in there}
        read = cast(Model, self.model.model_construct(**values))
        read.derive(self.context)
        return read

    def answer(self, read: Model, response: Response) -> Model:
        """Answer with one that was read."""
        return self._send(read, set(self.names), response) if self.is_narrowed else read

    def answer_list(self, answer: Answer, response: Response) -> Answer:
        """Answer with a list of what was read, and with all that is beside the list."""
        if not self.is_narrowed:
            return answer
        rows = {"__all__": set(self.names)}
        wanted = {name: rows if isinstance(value, list) else True for name, value in answer}
        return self._send(answer, wanted, response)

    def _send(self, answer: Answer, wanted: Any, response: Response) -> Answer:
        """Send it as it is, past the documented model, whose fields it lacks."""
        content = answer.model_dump(mode="json", by_alias=True, include=wanted)
        return cast(Answer, JSONResponse(content, headers=dict(response.headers)))


def choose_fields(model: type[Model], text: str | None, context: object = None) -> FieldChoice[Model]:
    """Read which fields are wanted; raises Invalid with the names that there are.

    The context is what answers depend on besides rows.
    """
    if text is None:
        return FieldChoice(model, tuple(model.model_fields), is_narrowed=False, context=context)
    known = {to_camel(name): name for name in model.model_fields}
    asked = {part.strip() for part in text.split(",")}
    if asked - known.keys():
        message = say("has a name that is no field; the fields are: {names}", names=", ".join(known))
        raise Invalid(("query", "fields"), message)
    names = tuple(name for camel, name in known.items() if camel in asked)
    return FieldChoice(model, names, is_narrowed=True, context=context)


@cache
def _build_checks(model: type[WireModel]) -> Mapping[str, TypeAdapter[Any]]:
    """Build what reads each field alone; once for a model, of which there are few."""
    return {name: _build_check(field) for name, field in model.model_fields.items()}


def _build_check(field: FieldInfo) -> TypeAdapter[Any]:
    checked: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(checked)
