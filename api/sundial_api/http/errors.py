"""How do errors leave the API? As `{"detail": ...}`, in one sentence, never with what went wrong inside."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException as StarletteHTTPException

from sundial_api.http.openapi import list_methods
from sundial_kube.errors import ApiError, ApiUnreachable

log = structlog.get_logger()

DATABASE_AWAY = "the database cannot be reached; history and lists are back when it is"
CLUSTER_AWAY = (
    "the Kubernetes API server cannot be reached; look whether a change was made before you repeat it"
)


class ErrorAnswer(BaseModel):
    """What went wrong, in one sentence."""

    detail: str


class InvalidPlace(BaseModel):
    """A value that cannot be used."""

    loc: list[str | int]
    msg: str
    type: str


class InvalidAnswer(BaseModel):
    """Which values cannot be used, each with its place, such as ["body", "scheduleConfig", "hours"]."""

    detail: list[InvalidPlace]


MEANINGS = {
    400: "The request is malformed.",
    401: "The caller is not known.",
    403: "The caller may not do that.",
    404: "There is nothing of that id.",
    409: "It conflicts with the state of things.",
    412: "The job does not have the ETag of If-Match any more.",
    413: "The body is too large.",
    422: "Values that cannot be used, each with its place.",
    503: "The cluster or the database cannot be reached.",
}


def document_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors that an endpoint may answer with, for its OpenAPI document."""
    return {
        status: {"model": InvalidAnswer if status == 422 else ErrorAnswer, "description": MEANINGS[status]}
        for status in statuses
    }


class HTTPProblem(Exception):
    """An answer with an error status; `detail` is a sentence for the caller."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Invalids(HTTPProblem):
    """Values that cannot be used: 422 with a place, a message and a type for each."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(422, "; ".join(str(problem["msg"]) for problem in errors))
        self.errors = errors


class Invalid(Invalids):
    """One value that cannot be used, with its place, such as ("body", "scheduleConfig", "hours")."""

    def __init__(self, loc: tuple[str | int, ...], message: str) -> None:
        super().__init__([{"loc": list(loc), "msg": message, "type": "value_error"}])


def install_handlers(application: FastAPI) -> None:
    """Let every error leave in the contract's form."""
    application.add_exception_handler(HTTPProblem, _answer_problem)
    application.add_exception_handler(RequestValidationError, _answer_invalid)
    application.add_exception_handler(StarletteHTTPException, _answer_http)
    application.add_exception_handler(ApiUnreachable, _answer_unreachable)
    application.add_exception_handler(ApiError, _answer_api_error)
    for kind in (OperationalError, InterfaceError, PoolTimeout):
        application.add_exception_handler(kind, _answer_database)
    application.add_exception_handler(Exception, _answer_unforeseen)


async def _answer_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPProblem)
    detail: Any = error.errors if isinstance(error, Invalids) else error.detail
    return JSONResponse({"detail": detail}, error.status, headers=error.headers)


async def _answer_invalid(_: Request, error: Exception) -> JSONResponse:
    """Name each place and what is wrong there; the value itself is not repeated."""
    assert isinstance(error, RequestValidationError)
    if any(problem["type"] == "json_invalid" for problem in error.errors()):
        return JSONResponse({"detail": "the body is not JSON"}, 400)
    shown = [{name: problem[name] for name in ("loc", "msg", "type")} for problem in error.errors()]
    return JSONResponse({"detail": jsonable_encoder(shown)}, 422)


async def _answer_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405 and (methods := list_methods(request.app, request.url.path)):
        headers["Allow"] = ", ".join(methods)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=headers)


async def _answer_unreachable(request: Request, error: Exception) -> JSONResponse:
    log.warning("the API server cannot be reached", path=request.url.path, error=str(error))
    return JSONResponse({"detail": CLUSTER_AWAY}, 503)


async def _answer_api_error(request: Request, error: Exception) -> JSONResponse:
    """Answer for the cluster: what it refuses to us for good is a defect of the installation, else wait."""
    assert isinstance(error, ApiError)
    log.warning("the API server refused a request", path=request.url.path, error=str(error))
    if error.status in (401, 403):
        return JSONResponse({"detail": "the API's own account may not do that in this cluster"}, 503)
    return JSONResponse({"detail": "the Kubernetes API server could not answer; try again"}, 503)


async def _answer_database(request: Request, error: Exception) -> JSONResponse:
    """Answer for the database: away, or slower than a request may take; its words stay here."""
    is_lost = not isinstance(error, DBAPIError) or error.connection_invalidated
    log.warning(
        "the database cannot be reached", path=request.url.path, kind=type(error).__name__, lost=is_lost
    )
    return JSONResponse({"detail": DATABASE_AWAY}, 503)


async def _answer_unforeseen(request: Request, error: Exception) -> JSONResponse:
    log.exception("a request failed in an unforeseen way", path=request.url.path, exc_info=error)
    return JSONResponse({"detail": "something went wrong inside; the log of the API tells what"}, 500)
