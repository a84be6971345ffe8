"""What does the API offer? Its OpenAPI document, with names that stay and the errors of every endpoint.

`python -m sundial_api.openapi_file` writes it to docs/openapi.json.
"""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel
from starlette.routing import compile_path

OPENAPI = "3.1.0"
FORMAT = "1"
"""The version of the document: of the contract, not of a release."""


def name_operation(route: APIRoute) -> str:
    """Name an operation as its function: clients are generated with these names."""
    return to_camel(route.name)


def install_document(application: FastAPI) -> None:
    """Let an application describe itself, its bearer token included."""

    def describe() -> dict[str, Any]:
        if application.openapi_schema is None:
            application.openapi_schema = _describe(application)
        return application.openapi_schema

    application.openapi = describe  # type: ignore[method-assign]


def _describe(application: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=application.title,
        version=FORMAT,
        openapi_version=OPENAPI,
        description=application.description,
        routes=application.routes,
    )
    schemes = {"bearer": {"type": "http", "scheme": "bearer"}}
    document.setdefault("components", {})["securitySchemes"] = schemes
    document["security"] = [{"bearer": []}]
    return document


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
