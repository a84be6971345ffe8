"""The health server: alive, ready, and the metrics; up before everything else and independent of kopf."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiohttp import web

from sundial_operator.metrics import Metrics
from sundial_operator.settings import OperatorSettings

log = structlog.get_logger()

LAG_PERIOD_SECONDS = 0.5
WORST_LAG_SECONDS = 10.0
"""An event loop that is this late is stuck: nothing would start on time."""

MAX_SILENCE_SECONDS = 300.0
"""A watch gets a bookmark a minute, and an attempt ends after 150 s of silence: this long is trouble."""


MAX_CONNECTIONS = 64
CONNECTION_SECONDS = 10.0
"""How many connections there are at once, and for how long each lasts, be it between requests."""


@dataclass(frozen=True, slots=True)
class Check:
    """The answer of one check; `detail` is for people."""

    ok: bool
    detail: str


Checks = Mapping[str, Callable[[], Check]]


class LoopLag:
    """How late the event loop is, measured by a timer in it."""

    def __init__(self) -> None:
        self._expected = time.monotonic()
        self._worst = 0.0

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            self._expected = time.monotonic() + LAG_PERIOD_SECONDS
            await asyncio.sleep(LAG_PERIOD_SECONDS)
            self._worst = max(time.monotonic() - self._expected, self._worst * 0.9)

    def check(self) -> Check:
        """Tell whether the loop keeps up; the worst lag fades by a tenth at each measurement."""
        lag = max(time.monotonic() - self._expected, self._worst)
        return Check(lag < WORST_LAG_SECONDS, f"the event loop was up to {lag:.3f} s late")


class Health:
    """What is asked of a process: `live` and `ready` are checks by name, `stage` is how far it has come."""

    def __init__(self) -> None:
        self.stage = Check(False, "starting")
        self.lag = LoopLag()
        self.live: dict[str, Callable[[], Check]] = {"loop": self.lag.check}
        self.ready: dict[str, Callable[[], Check]] = {"operator": lambda: self.stage}


class Watch(Protocol):
    """What is asked of a reflector; times are of the monotonic clock."""

    @property
    def plural(self) -> str:
        """What it follows."""

    heard_at: float
    stirred_at: float


def check_news(watches: Iterable[Watch], now: float) -> Check:
    """Tell whether what is known of the cluster is kept up to date: for readiness.

    It is not while the API server is away or has taken a permission. A new process would do no better, and a
    leader that is not ready leads on: it starts what it knows of.
    """
    oldest = min(watches, key=lambda watch: watch.heard_at, default=None)
    silence = now - oldest.heard_at if oldest else 0.0
    said = f"nothing was heard of {oldest.plural} for {silence:.0f} s" if oldest else "none yet"
    return Check(silence < MAX_SILENCE_SECONDS, said)


def check_loops(watches: Iterable[Watch], now: float) -> Check:
    """Tell whether each watch is tried again and again: only one that stands still is mended by a restart."""
    still = max((now - watch.stirred_at for watch in watches), default=0.0)
    return Check(still < MAX_SILENCE_SECONDS, f"no watch has stood still for more than {still:.0f} s")


class BriefServer(web.Server):
    """A server whose connections are few and short: a probe asks once, and nobody else has to wait long.

    Whoever can reach the port would otherwise take all file descriptors of the process by connections that
    never send a whole request.
    """

    def __call__(self) -> web.RequestHandler:
        """Give the handler of a new connection, and end the oldest ones that are too many."""
        for connection in self.connections[: max(0, len(self.connections) - MAX_CONNECTIONS + 1)]:
            _end(connection)
        connection = super().__call__()
        asyncio.get_running_loop().call_later(CONNECTION_SECONDS, _end, connection)
        return connection


def _end(connection: web.RequestHandler) -> None:
    if connection.transport is not None:
        connection.transport.abort()


class HealthServer:
    """Serves `/livez`, `/readyz` and `/metrics` on one port; the checks are asked at each request."""

    def __init__(self, metrics: Metrics, health: Health) -> None:
        self._answers: Mapping[str, Callable[[], web.Response]] = {
            "/livez": lambda: _answer(health.live),
            "/readyz": lambda: _answer(health.ready),
            "/metrics": lambda: web.Response(
                body=metrics.render(), content_type="text/plain", charset="utf-8"
            ),
        }
        self._runner = web.ServerRunner(BriefServer(self._serve, access_log=None))

    async def start(self, host: str, port: int) -> int:
        """Listen; port 0 takes a free one. Returns the port."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound: int = self._runner.addresses[0][1]
        log.info("serving health and metrics", host=host, port=bound)
        return bound

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        build = self._answers.get(request.path)
        if build is None or request.method not in ("GET", "HEAD"):
            status = 404 if build is None else 405
            return web.Response(text=f"ask for one of {', '.join(self._answers)}\n", status=status)
        return build()


@asynccontextmanager
async def serve_health(settings: OperatorSettings, metrics: Metrics, health: Health) -> AsyncIterator[None]:
    """Serve health, and measure the event loop, within the block; raises OSError where the port is taken."""
    server = HealthServer(metrics, health)
    lag = asyncio.create_task(health.lag.run())
    try:
        await server.start(settings.health_host, settings.health_port)
        yield
    finally:
        lag.cancel()
        await server.stop()


def _answer(checks: Checks) -> web.Response:
    results = {name: check() for name, check in checks.items()}
    lines = [f"[{'+' if result.ok else '-'}] {name}: {result.detail}" for name, result in results.items()]
    is_ok = all(result.ok for result in results.values())
    return web.Response(text="\n".join(lines) + "\n", status=200 if is_ok else 503)
