"""How long is waited for a client, and for how many? An HTTP/1.1 connection that gives up on slow ones.

uvicorn waits without end for the head of a request, for its body, and for a client that does not read its
answer; a few hundred such clients would take every descriptor of the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, cast

import h11
import orjson
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_TOO_SLOW = "the head of a request has to come within a few seconds"


class Awaited(Enum):
    """What a connection waits for from its client."""

    HEAD = "head"
    BODY = "body"
    READER = "reader"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections there may be, and for how many seconds each waits for its client."""

    most: int = 800
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    """A little more than a request waits for its body: by then it has been answered."""
    reader_seconds: float = 30.0


class TimedConnection(H11Protocol):
    """A connection that ends when its client is too slow; a new one takes the place of the idlest."""

    def __init__(self, *arguments: Any, limits: ConnectionLimits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._awaited: Awaited | None = None
        self._timers: dict[Awaited, asyncio.TimerHandle] = {}
        self._changed_at = self.loop.time()

    @property
    def is_idle(self) -> bool:
        """Whether no request of this connection is under way."""
        return self.conn.their_state is h11.IDLE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self._limits.most:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take what the client sends."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self._start_timer(Awaited.READER, self._limits.reader_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        super().resume_writing()
        self._stop_timer(Awaited.READER)

    def connection_lost(self, exc: Exception | None) -> None:
        """End with the connection."""
        for awaited in list(self._timers):
            self._stop_timer(awaited)
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Start the timer of what is waited for now, unless that is what was waited for before."""
        awaited = None if self.transport.is_closing() else self._find_awaited()
        if awaited is self._awaited:
            return
        self._changed_at = self.loop.time()
        if self._awaited is not None:
            self._stop_timer(self._awaited)
        self._awaited = awaited
        if awaited is Awaited.HEAD:
            self._start_timer(awaited, self._limits.head_seconds, self._refuse_head)
        elif awaited is Awaited.BODY:
            self._start_timer(awaited, self._limits.body_seconds, self.transport.abort)

    def _find_awaited(self) -> Awaited | None:
        """Find what the client has to send; between requests uvicorn's own timer is at work."""
        if self.conn.their_state is h11.SEND_BODY:
            return Awaited.BODY
        return Awaited.HEAD if self.is_idle and self.timeout_keep_alive_task is None else None

    def _start_timer(self, awaited: Awaited, seconds: float, end: Callable[[], None]) -> None:
        self._stop_timer(awaited)
        self._timers[awaited] = self.loop.call_later(seconds, end)

    def _stop_timer(self, awaited: Awaited) -> None:
        timer = self._timers.pop(awaited, None)
        if timer is not None:
            timer.cancel()

    def _refuse_head(self) -> None:
        """Say that the head took too long, and close; who has sent nothing at all is told nothing."""
        if self.conn.trailing_data[0] and self.conn.our_state is h11.IDLE:
            body = orjson.dumps({"detail": HEAD_TOO_SLOW})
            headers = {"content-type": "application/json", "content-length": str(len(body))}
            head = h11.Response(status_code=408, headers=[*headers.items(), ("connection", "close")])
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _make_room(self) -> None:
        """End the connection that has been idle for longest; this one where all others are at work."""
        idle = (one for one in self.connections if one is not self and cast(TimedConnection, one).is_idle)
        oldest = min(idle, key=lambda one: cast(TimedConnection, one)._changed_at, default=self)
        cast(TimedConnection, oldest).transport.abort()


def build_protocol(limits: ConnectionLimits) -> Any:
    """Build what uvicorn makes its connections with."""
    return partial(TimedConnection, limits=limits)
