"""How many requests are at work at once, and for how long? Who is one too many is told so at once.

A request is at work until its answer begins: event streams and clients that read slowly hold no place. What
probes and Prometheus ask always passes.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sundial_api.http.errors import HTTPProblem, answer_problem
from sundial_api.http.languages import read_language
from sundial_api.http.paths import PROBES
from sundial_clock.sentences import say
from sundial_kube.deadline import within

ANSWER_SECONDS = 4.5
"""How long what a request asks of others may take in all: no answer takes over 5 s."""

BUSY = say("too many requests are at work; try again")
RETRY_SECONDS = "1"


class Timekeeper:
    """ASGI middleware that gives each request a deadline, which ends when its answer begins."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request under its deadline."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        with within(ANSWER_SECONDS) as deadline:
            await self._application(scope, receive, _before_answer(send, deadline.lift))


class Turnstile:
    """ASGI middleware behind the question who calls: it bounds how many requests are at work."""

    def __init__(self, application: ASGIApp, most: int, registry: CollectorRegistry) -> None:
        self._application = application
        self._most = most
        self._at_work: set[object] = set()
        gauge = Gauge(
            "sundial_api_requests_at_work", "Requests whose answer has not begun.", registry=registry
        )
        gauge.set_function(lambda: len(self._at_work))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or refuse it."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._application(scope, receive, send)
            return
        if len(self._at_work) >= self._most:
            problem = HTTPProblem(503, BUSY, Retry_After=RETRY_SECONDS)
            await answer_problem(problem, read_language(scope))(scope, receive, send)
            return
        place = object()
        self._at_work.add(place)
        try:
            await self._application(
                scope, receive, _before_answer(send, lambda: self._at_work.discard(place))
            )
        finally:
            self._at_work.discard(place)


def _before_answer(send: Send, act: Callable[[], None]) -> Send:
    """Do something before an answer begins."""

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            act()
        await send(message)

    return send_on
