"""How does a listener get its events? As bytes, for as long as it may listen, and takes what it is sent."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing, suppress
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from sundial_api.events.change_log import ChangeLog
from sundial_api.events.places import Beginning
from sundial_api.events.rights import MayNotListen
from sundial_api.events.schemas import write_reset

HEARTBEAT_SECONDS = 15.0
"""How long a stream says nothing at most: one that is silent may be broken, which either end sees so."""
CHECK_SECONDS = 60.0
"""How often it is asked again who a caller is, and whether it may listen."""
STALLED_SECONDS = 20.0
"""How long a listener may take nothing before it is cut off."""
RETRY_MILLISECONDS = (2_000, 6_000)
"""When listeners whose stream has ended come back: not all at once."""
NOT_PERMITTED = b": the caller may listen no longer\n\n"
STOPPING = b": this replica of the API stops; come back to another one\n\n"
DATABASE_AWAY = b": the database cannot be read\n\n"


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens from where on, to which namespaces, what finds these again, and for how many seconds.

    None is all namespaces, and for ever.
    """

    beginning: Beginning
    namespaces: Collection[str] | None
    find_again: Callable[[], Awaitable[Collection[str] | None]]
    seconds: float | None


async def follow(changes: ChangeLog, listener: Listener) -> AsyncGenerator[bytes, None]:
    """Yield what a listener is sent, and in the end why it is sent no more."""
    yield greet(listener.beginning)
    try:
        async for text in _follow(changes, listener):
            yield text
    except MayNotListen:
        yield NOT_PERMITTED
    except (SQLAlchemyError, OSError):
        yield DATABASE_AWAY


async def _follow(changes: ChangeLog, listener: Listener) -> AsyncGenerator[bytes, None]:
    place, namespaces, room = listener.beginning.place, listener.namespaces, changes.choose_room()
    said_at = _now()
    check_at = said_at + CHECK_SECONDS
    while True:
        news = changes.get_news(room)
        if changes.is_ended:
            yield STOPPING
            return
        portion = await changes.read(place, namespaces)
        place, text = portion.place, portion.text
        if not text:
            await _wait(news, min(said_at + HEARTBEAT_SECONDS, check_at))
        if _now() >= check_at:
            namespaces = await listener.find_again()
            check_at = _now() + CHECK_SECONDS
        if not text and _now() >= said_at + HEARTBEAT_SECONDS:
            text = f":\nid: {place}\n\n".encode()
        if text:
            yield text
            said_at = _now()


def greet(beginning: Beginning) -> bytes:
    """Write what a stream begins with: when to come back after its end, where it is, whether that is new."""
    place, reason = beginning.place, beginning.reason
    greeting = f"retry: {random.randint(*RETRY_MILLISECONDS)}\nid: {place}\n\n".encode()
    return greeting + (write_reset(place, reason) if reason is not None else b"")


async def _wait(news: asyncio.Event, until: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            await news.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()


class EventStream(StreamingResponse):
    """An answer that goes on for some seconds (None is for ever), to a listener that takes it."""

    def __init__(self, events: AsyncGenerator[bytes, None], seconds: float | None) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, headers=headers, media_type="text/event-stream")
        self._events, self._seconds = events, seconds

    async def stream_response(self, send: Send) -> None:
        """Send it; who takes nothing for too long is cut off in the middle."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async with asyncio.timeout(self._seconds) as limit, aclosing(self._events):
                async for text in self._events:
                    await _send_soon(send, _build_body(text, more_body=True))
        except TimeoutError:
            if not limit.expired():
                return
        with suppress(TimeoutError):
            await _send_soon(send, _build_body(b"", more_body=False))


def _build_body(text: bytes, *, more_body: bool) -> Message:
    return {"type": "http.response.body", "body": text, "more_body": more_body}


async def _send_soon(send: Send, message: Message) -> None:
    """Send, waiting for the listener not longer than STALLED_SECONDS; raises TimeoutError."""
    async with asyncio.timeout(STALLED_SECONDS):
        await send(message)
