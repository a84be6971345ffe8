"""How do errors leave the API? As `{"detail": ...}`, in one sentence, never with what went wrong inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException as StarletteHTTPException

from sundial_api.database_errors import DatabaseSilent, describe_trouble, is_outdated, read_state
from sundial_api.http.invalid_values import InvalidValue, describe_error
from sundial_api.http.languages import mark_language, read_language, render
from sundial_api.http.openapi import list_methods
from sundial_clock.sentences import Language, Sentence, as_said, say
from sundial_kube.errors import ApiError, ApiUnreachable

log = structlog.get_logger()

DATABASE_AWAY = say("the database cannot be reached; history and lists are back when it is")
DATABASE_SLOW = say("the database did not answer in time; ask for less at once, or try again")
DATABASE_FULL = say("the database cannot be written, it has no place left; what is stored still reads")
DATABASE_OUTDATED = say(
    "the database lacks tables or columns that this release needs; whoever operates it has to run"
    " sundial-database upgrade"
)
TOO_LONG = ("57014", "55P03")
"""SQLSTATE of a statement that was ended by a time-out, and of a lock that was not had in time."""
NO_PLACE = ("53100",)
RETRY_SECONDS = "2"
CLUSTER_AWAY = say(
    "the Kubernetes API server cannot be reached; look whether a change was made before you repeat it"
)
CLUSTER_AWAY_FOR_READS = say("the Kubernetes API server cannot be reached; try again in a moment")
NOT_SENT_AS_JSON = say("send the body as JSON, with the header Content-Type: application/json")


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
    408: "The request did not come in time.",
    409: "It conflicts with the state of things.",
    412: "The job does not have the ETag of If-Match any more.",
    413: "The body is too large.",
    422: "Values that cannot be used, each with its place.",
    429: "Too many at once.",
    503: "The cluster or the database cannot be reached, or is slow or full.",
}
RETRY_AFTER = {
    "Retry-After": {"description": "Seconds to wait before a repeat.", "schema": {"type": "integer"}}
}


def document_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors that an endpoint may answer with, for its OpenAPI document."""
    return {status: _document_error(status) for status in statuses}


def _document_error(status: int) -> dict[str, Any]:
    model = InvalidAnswer if status == 422 else ErrorAnswer
    headers = {"headers": RETRY_AFTER} if status in (429, 503) else {}
    return {"model": model, "description": MEANINGS[status], **headers}


class HTTPProblem(Exception):
    """An answer with an error status; `detail` is a sentence for the caller."""

    def __init__(self, status: int, detail: Sentence, **headers: str) -> None:
        super().__init__(detail.english)
        self.status = status
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Invalids(HTTPProblem):
    """Values that cannot be used: 422 with a place, a message and a type for each."""

    def __init__(self, errors: Sequence[InvalidValue]) -> None:
        super().__init__(422, as_said("; ".join(problem.sentence.english for problem in errors)))
        self.errors = errors


class Invalid(Invalids):
    """One value that cannot be used, with its place, such as ("body", "scheduleConfig", "hours")."""

    def __init__(self, loc: tuple[str | int, ...], sentence: Sentence) -> None:
        super().__init__([InvalidValue(loc, sentence)])


def install_handlers(application: FastAPI) -> None:
    """Let every error leave in the contract's form."""
    application.add_exception_handler(HTTPProblem, _answer_problem)
    application.add_exception_handler(RequestValidationError, _answer_invalid)
    application.add_exception_handler(StarletteHTTPException, _answer_http)
    application.add_exception_handler(ApiUnreachable, _answer_unreachable)
    application.add_exception_handler(ApiError, _answer_api_error)
    for kind in (OperationalError, InterfaceError, PoolTimeout):
        application.add_exception_handler(kind, _answer_database)
    application.add_exception_handler(ProgrammingError, _answer_outdated)
    application.add_exception_handler(Exception, _answer_unforeseen)


def answer_problem(problem: HTTPProblem, language: Language) -> JSONResponse:
    """Build the answer that tells of a problem, in the caller's language."""
    detail: Any = render(problem.detail, language)
    if isinstance(problem, Invalids):
        detail = [
            {"loc": list(error.loc), "msg": render(error.sentence, language), "type": error.type}
            for error in problem.errors
        ]
    answer = JSONResponse({"detail": detail}, problem.status, headers=problem.headers)
    mark_language(answer.headers, language)
    return answer


def _answer(request: Request, problem: HTTPProblem) -> JSONResponse:
    return answer_problem(problem, read_language(request.scope))


async def _answer_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPProblem)
    return _answer(request, error)


async def _answer_invalid(request: Request, error: Exception) -> JSONResponse:
    """Name each place and what is wrong there; pydantic's copy of the value is left out."""
    assert isinstance(error, RequestValidationError)
    if any(problem["type"] == "json_invalid" for problem in error.errors()):
        return _answer(request, HTTPProblem(400, say("the body is not JSON")))
    if not _is_sent_as_json(request) and any(problem["loc"] == ("body",) for problem in error.errors()):
        return _answer(request, Invalid(("header", "Content-Type"), NOT_SENT_AS_JSON))
    return _answer(request, Invalids([describe_error(problem) for problem in error.errors()]))


def _is_sent_as_json(request: Request) -> bool:
    """Tell whether the body is read as JSON: of another or no media type the framework sees but bytes."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


async def _answer_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    answer = _answer(request, HTTPProblem(error.status_code, as_said(error.detail)))
    answer.headers.update(error.headers or {})
    if error.status_code == 405 and (methods := list_methods(request.app, request.url.path)):
        answer.headers["Allow"] = ", ".join(methods)
    return answer


async def _answer_unreachable(request: Request, error: Exception) -> JSONResponse:
    log.warning("the API server cannot be reached", path=request.url.path, error=str(error))
    detail = CLUSTER_AWAY_FOR_READS if request.method in ("GET", "HEAD") else CLUSTER_AWAY
    return answer_unavailable(detail, read_language(request.scope))


async def _answer_api_error(request: Request, error: Exception) -> JSONResponse:
    """Answer for the cluster: what it refuses to us for good is a defect of the installation, else wait."""
    assert isinstance(error, ApiError)
    log.warning("the API server refused a request", path=request.url.path, error=str(error))
    if error.status in (401, 403):
        return _answer(
            request, HTTPProblem(503, say("the API's own account may not do that in this cluster"))
        )
    detail = say("the Kubernetes API server could not answer; try again")
    return answer_unavailable(detail, read_language(request.scope))


async def _answer_database(request: Request, error: Exception) -> JSONResponse:
    """Answer for the database: away, slow or full; its words stay here."""
    state = read_state(error)
    said = {"kind": type(error).__name__, "state": state, "reason": describe_trouble(error)}
    log.warning("the database gave no answer", path=request.url.path, **said)
    is_silent = isinstance(getattr(error, "orig", None), DatabaseSilent)
    is_slow = state in TOO_LONG or is_silent or isinstance(error, PoolTimeout)
    detail = DATABASE_SLOW if is_slow else DATABASE_FULL if state in NO_PLACE else DATABASE_AWAY
    return answer_unavailable(detail, read_language(request.scope))


async def _answer_outdated(request: Request, error: Exception) -> JSONResponse:
    """Answer for tables that are not those of this release; any other wrong statement is a defect of ours."""
    if not is_outdated(error):
        return await _answer_unforeseen(request, error)
    log.warning("the database is at another migration", path=request.url.path, reason=describe_trouble(error))
    return answer_unavailable(DATABASE_OUTDATED, read_language(request.scope))


def answer_unavailable(detail: Sentence, language: Language) -> JSONResponse:
    """Answer 503, and when to come back."""
    return answer_problem(HTTPProblem(503, detail, Retry_After=RETRY_SECONDS), language)


async def _answer_unforeseen(request: Request, error: Exception) -> JSONResponse:
    log.exception("a request failed in an unforeseen way", path=request.url.path, exc_info=error)
    words = say("something went wrong inside; the log of the API tells what")
    answer = _answer(request, HTTPProblem(500, words))
    answer.headers.update(getattr(request.state, "mirrored_at", {}))  # it is made outside all middleware
    return answer
