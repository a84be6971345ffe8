"""Has the caller this answer already? A read in JSON has a tag of its content; who names it gets 304.

docs/api-contract.md, "Conditional reads". The tag is a hash of the body, which is made anyway, with its
language: it saves the way back, not the query. A job's ETag is that of the object, for If-Match, and stays
while runs come and go: the tag of its content is in X-Content-Tag; the ETag alone is never answered by 304.
"""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sundial_api.http.languages import read_language
from sundial_clock.sentences import Language

CONTENT_TAG = "X-Content-Tag"
NOT_MODIFIED = 304


class ConditionalReads:
    """ASGI middleware that tags answers, and leaves out the body that the caller has."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, and hold its answer where it may have a tag."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._application(scope, receive, send)
        else:
            held = _HeldAnswer(send, Headers(scope=scope).get("if-none-match", ""), read_language(scope))
            await self._application(scope, receive, held.send)


class _HeldAnswer:
    """Holds an answer in JSON until its body is whole; any other goes through as it comes."""

    def __init__(self, send: Send, known_tags: str, language: Language) -> None:
        self._send = send
        self._language = language
        self._known_tags = {tag.strip().removeprefix("W/") for tag in known_tags.split(",")}
        self._start: Message | None = None
        self._body: list[bytes] = []

    async def send(self, message: Message) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start" and _may_have_tag(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self._finish(self._start, b"".join(self._body))

    async def _finish(self, start: Message, body: bytes) -> None:
        tag = compute_tag(body, self._language)
        headers = MutableHeaders(scope=start)
        headers[CONTENT_TAG if "etag" in headers else "ETag"] = tag
        headers.setdefault("Cache-Control", "private, no-cache")
        if self._known_tags & {tag, "*"}:
            start["status"], body = NOT_MODIFIED, b""
            del headers["content-length"]
            del headers["content-type"]
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def compute_tag(body: bytes, language: Language) -> str:
    """Compute the tag of a body; one in another language has another, even where it reads the same."""
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}-{language}"'


def _may_have_tag(start: Message) -> bool:
    content_type = Headers(scope=start).get("content-type", "")
    return start["status"] == 200 and content_type.startswith("application/json")
