"""What does the API offer? Its OpenAPI document, with names that stay and the errors of every endpoint.

`python -m sundial_api.openapi_file` writes it to docs/openapi.json.
"""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from starlette.routing import compile_path

OPENAPI = "3.1.0"
REFERENCE = "#/components/schemas/{model}"
FORMAT = "1"
"""The version of the document: of the contract, not of a release."""


def name_operation(route: APIRoute) -> str:
    """Name an operation as its function: clients are generated with these names."""
    return to_camel(route.name)


def install_document(application: FastAPI, streamed: type[BaseModel]) -> None:
    """Let an application describe itself, its bearer token and the items of its stream included."""

    def describe() -> dict[str, Any]:
        if application.openapi_schema is None:
            application.openapi_schema = _describe(application, streamed)
        return application.openapi_schema

    application.openapi = describe  # type: ignore[method-assign]


def document_stream(item: type[BaseModel], description: str) -> dict[int | str, dict[str, Any]]:
    """Describe an answer of server-sent events; before 3.2, OpenAPI can give the schema of one item only."""
    schema = {"$ref": REFERENCE.format(model=item.__name__)}
    return {200: {"description": description, "content": {"text/event-stream": {"schema": schema}}}}


def _describe(application: FastAPI, streamed: type[BaseModel]) -> dict[str, Any]:
    document = get_openapi(
        title=application.title,
        version=FORMAT,
        openapi_version=OPENAPI,
        description=application.description,
        routes=application.routes,
    )
    schemes = {"bearer": {"type": "http", "scheme": "bearer"}}
    components = document.setdefault("components", {})
    components["securitySchemes"] = schemes
    schema = streamed.model_json_schema(ref_template=REFERENCE, mode="serialization")
    for name, part in ({streamed.__name__: schema} | schema.pop("$defs")).items():
        components["schemas"].setdefault(name, part)
    document["security"] = [{"bearer": []}]
    for methods in document["paths"].values():
        for operation in methods.values():
            _leave_out_refusals(operation)
        if "get" in methods and "application/json" in methods["get"]["responses"]["200"]["content"]:
            _document_conditional(methods["get"])
    return document


def _leave_out_refusals(operation: dict[str, Any]) -> None:
    """Leave out the errors of a token where none is needed: all routes have them at first."""
    if operation.get("security") == []:
        for status in ("401", "403"):
            operation["responses"].pop(status, None)


def _document_conditional(operation: dict[str, Any]) -> None:
    """Describe what every read takes and gives besides, by http/conditional.py."""
    known = "Tags of answers that the caller has: ETag, of a single job X-Content-Tag."
    parameter = {"in": "header", "name": "If-None-Match", "description": known, "schema": {"type": "string"}}
    operation.setdefault("parameters", []).append(parameter)
    responses = operation["responses"]
    headers = responses["200"].setdefault("headers", {})
    tag = "X-Content-Tag" if "ETag" in headers else "ETag"
    headers[tag] = {"description": "For If-None-Match.", "schema": {"type": "string"}}
    responses["304"] = {"description": "The caller has this answer: one of its tags is named."}


def list_methods(application: FastAPI, path: str) -> list[str]:
    """List all methods that a path takes; the framework names those of the first route only."""
    found = [
        methods
        for template, methods in application.openapi()["paths"].items()
        if compile_path(template)[0].match(path)
    ]
    return sorted(method.upper() for method in found[0]) if found else []


def write_document(application: FastAPI) -> bytes:
    """Write the document as the file has it."""
    return orjson.dumps(application.openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
