"""How old is what an answer is read from? Each one under the base path says up to when all is mirrored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sundial_api.http.paths import PREFIX
from sundial_clock.instants import format_instant

MIRRORED_AT = "X-Mirrored-At"


class MirroredAtHeader:
    """ASGI middleware. What counts is what was known when a request came: what is read later is no older."""

    def __init__(self, application: ASGIApp, find_instant: Callable[[], datetime | None]) -> None:
        self._application = application
        self._find_instant = find_instant

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with the header."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._application(scope, receive, send)
            return
        headers = build_headers(self._find_instant())
        scope.setdefault("state", {})["mirrored_at"] = headers

        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self._application(scope, receive, send_dated)


def build_headers(instant: datetime | None) -> dict[str, str]:
    """Build the header; there is none as long as nothing is known to be mirrored."""
    return {MIRRORED_AT: format_instant(instant)} if instant is not None else {}
