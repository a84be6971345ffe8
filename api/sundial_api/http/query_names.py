"""Is a query parameter written as a field of JSON is? Then its right name is told."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from sundial_api.http.errors import Invalid
from sundial_clock.sentences import say


async def check_query_names(request: Request) -> None:
    """Refuse the camelCase form of a parameter; what is none at all is ignored. Raises Invalid."""
    odd = [name for name in request.query_params if name != name.lower()]
    route = request.scope.get("route")
    if not odd or not isinstance(route, APIRoute):
        return
    names = set(_list_names(route.dependant))
    mistaken = {to_camel(name): name for name in names}
    for given in odd:
        if given in mistaken and given not in names:
            raise Invalid(("query", given), say("is written {name} here", name=mistaken[given]))


def _list_names(dependant: Dependant) -> Iterator[str]:
    """List the parameters of an endpoint and of what it depends on; a model stands for all its fields."""
    for field in dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from (one.alias or name for name, one in model.model_fields.items())
        else:
            yield field.alias
    for inner in dependant.dependencies:
        yield from _list_names(inner)
