"""What does every request pass first? A limit on its size, then the question who sends it.

Both come before anything of the request is read: who is not known learns nothing but that.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sundial_api.auth.tokens import Authenticator, parse_token
from sundial_api.http.errors import CLUSTER_AWAY, HTTPProblem
from sundial_kube.errors import ApiError, ApiUnreachable

MAX_BODY_BYTES = 1024 * 1024
READ_METHODS = ("GET", "HEAD")
OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
"""What probes and Prometheus read; it says nothing of any job."""


class AuthMiddleware:
    """ASGI middleware; puts the caller into `request.state.caller`."""

    def __init__(self, application: ASGIApp, find_authenticator: Callable[[], Authenticator]) -> None:
        self._application = application
        self._find_authenticator = find_authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it here."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._application(scope, receive, send)
            return
        try:
            token = parse_token(Headers(scope=scope).get("authorization"))
            is_read = scope["method"] in READ_METHODS
            caller = await self._find_authenticator().identify(token, is_read=is_read)
            body = await _read_body(scope, receive)
        except HTTPProblem as problem:
            answer = JSONResponse({"detail": problem.detail}, problem.status, problem.headers)
            await answer(scope, receive, send)
        except (ApiError, ApiUnreachable):
            await JSONResponse({"detail": CLUSTER_AWAY}, 503)(scope, receive, send)
        else:
            scope.setdefault("state", {})["caller"] = caller
            await self._application(scope, _Replayed(body, receive), send)


class _Replayed:
    """Gives a body that was read once more, then what comes behind it."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._message: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._receive = receive

    async def __call__(self) -> Message:
        message, self._message = self._message, None
        return message if message is not None else await self._receive()


async def _read_body(scope: Scope, receive: Receive) -> bytes:
    """Read the body; raises Problem when it is too large or breaks off."""
    declared = Headers(scope=scope).get("content-length", "0")
    if not declared.isdigit() or int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPProblem(HTTPStatus.BAD_REQUEST, "the request ended before its body")
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return body


def _too_large() -> HTTPProblem:
    detail = f"a request may have at most {MAX_BODY_BYTES} bytes"
    return HTTPProblem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
