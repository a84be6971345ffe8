"""What does every request pass first? A limit on its size, then the question who sends it.

Both come before anything of the request is read: who is not known learns nothing but that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sundial_api.auth.tokens import Authenticator, name_account, parse_token
from sundial_api.http.accounts import on_behalf_of
from sundial_api.http.errors import (
    CLUSTER_AWAY,
    CLUSTER_AWAY_FOR_READS,
    HTTPProblem,
    answer_problem,
    answer_unavailable,
)
from sundial_api.http.languages import read_language
from sundial_api.http.paths import is_open
from sundial_clock.sentences import say
from sundial_kube.deadline import find_deadline
from sundial_kube.errors import ApiError, ApiUnreachable

MAX_BODY_BYTES = 1024 * 1024
READ_METHODS = ("GET", "HEAD")
READING_POST = "/preview"
"""The end of the one path whose POST changes nothing."""

NO_REVIEWS = say(
    "the API's own account may not ask the cluster who calls; it needs create on tokenreviews and"
    " subjectaccessreviews"
)
TWO_LENGTHS = HTTPProblem(
    HTTPStatus.BAD_REQUEST,
    say("a request has either a Content-Length or a Transfer-Encoding; leave one out"),
    Connection="close",
)
"""RFC 9112, 6.1: a proxy that believes the other one would take part of the body for a request of its own."""


class AuthMiddleware:
    """ASGI middleware; puts the caller into `request.state.caller`."""

    def __init__(
        self, application: ASGIApp, find_authenticator: Callable[[], Authenticator], body_seconds: float
    ) -> None:
        self._application = application
        self._find_authenticator = find_authenticator
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it here."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if "transfer-encoding" in headers and "content-length" in headers:
            await answer_problem(TWO_LENGTHS, read_language(scope))(scope, receive, send)
            return
        if is_open(scope["method"], scope["path"]):
            await self._application(scope, receive, send)
            return
        try:
            token = parse_token(headers.get("authorization"))
            is_read = scope["method"] in READ_METHODS or scope["path"].endswith(READING_POST)
            caller = await self._find_authenticator().identify(token, is_read=is_read)
            body = await _read_in_time(scope, receive, self._body_seconds)
        except HTTPProblem as problem:
            await answer_problem(problem, read_language(scope))(scope, receive, send)
        except (ApiError, ApiUnreachable) as error:
            is_refused = isinstance(error, ApiError) and error.status in (401, 403)
            away = CLUSTER_AWAY_FOR_READS if scope["method"] in READ_METHODS else CLUSTER_AWAY
            detail = NO_REVIEWS if is_refused else away
            await answer_unavailable(detail, read_language(scope))(scope, receive, send)
        else:
            scope.setdefault("state", {})["caller"] = caller
            with on_behalf_of(name_account(caller.name)):
                await self._application(scope, _Replayed(body, receive), send)


class _Replayed:
    """Gives a body that was read once more, then what comes behind it."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._message: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._receive = receive

    async def __call__(self) -> Message:
        message, self._message = self._message, None
        return message if message is not None else await self._receive()


async def _read_in_time(scope: Scope, receive: Receive, seconds: float) -> bytes:
    """Read the body; raises Problem 408 when it takes too long. That time is the client's, not ours."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            return await _read_body(scope, receive)
    except TimeoutError:
        detail = say("the body of a request has to come within {seconds:g} seconds", seconds=seconds)
        raise HTTPProblem(HTTPStatus.REQUEST_TIMEOUT, detail, Connection="close") from None
    finally:
        find_deadline().put_off(time.monotonic() - began)


async def _read_body(scope: Scope, receive: Receive) -> bytes:
    """Read the body; raises Problem when it is too large or breaks off."""
    declared = Headers(scope=scope).get("content-length", "0")
    if not declared.isdigit() or int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPProblem(HTTPStatus.BAD_REQUEST, say("the request ended before its body"))
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return body


def _too_large() -> HTTPProblem:
    detail = say("a request may have at most {limit} bytes", limit=MAX_BODY_BYTES)
    return HTTPProblem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
