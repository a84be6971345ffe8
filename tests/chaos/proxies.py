"""A TLS proxy for each operator, between it and the API server, whose weather a test can change.

All run in one thread with an event loop of its own. Bearer tokens pass; bodies are never held for later, so
that a request which gets no answer has either had its effect by then or never will.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from chaos.weather import CLEAR, Trouble
from multidict import CIMultiDict

from sundial_devcluster.pki import (
    CertificateRequest,
    Use,
    create_authority,
    write_authority,
    write_certificates,
)
from sundial_devcluster.polling import until_async

LOOPBACK = "127.0.0.1"
LOOK_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 1.5
LONGEST_TROUBLE_SECONDS = 300.0
TLS_END_SECONDS = 0.5
"""How long the ends of watches that were cut off take: nothing tells when they are over."""
UNCOMPRESSED = {"Accept-Encoding": "identity"}
NOT_PASSED_ON = (
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
)
ANSWERS = {
    Trouble.THROTTLED: (429, "TooManyRequests", {"Retry-After": "1"}),
    Trouble.ERRORS: (500, "InternalError", {}),
}
BEFORE = (*ANSWERS, Trouble.RESETS, Trouble.BLACK_HOLE, Trouble.GONE)
AFTER = (Trouble.LOST_ANSWERS, Trouble.UNHEARD)
SILENT = (Trouble.BLACK_HOLE, Trouble.STALLED)
EXPIRED = b'{"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"Expired","code":410}}\n'


class Proxy:
    """One operator's way to the API server; `weather` may be set from any thread."""

    def __init__(self, upstream: str, seed: int) -> None:
        self._upstream = upstream
        self._chance = random.Random(seed)
        self.weather = CLEAR
        self.met: Counter[Trouble] = Counter()
        self.url = ""

    async def start(self, session: aiohttp.ClientSession, tls: ssl.SSLContext) -> web.AppRunner:
        """Listen on a free port."""
        self._session = session
        application = web.Application(client_max_size=64 * 2**20)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, 0, ssl_context=tls).start()
        self.url = f"https://{LOOPBACK}:{runner.addresses[0][1]}"
        return runner

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        trouble = self._meet(request)
        body = await request.read()
        if trouble in BEFORE:
            return await self._answer_instead(request, trouble)
        if trouble is Trouble.SLOW:
            await asyncio.sleep(self._chance.uniform(0, LONGEST_DELAY_SECONDS))
        if trouble is Trouble.LATE:
            await asyncio.sleep(self.weather.late_seconds)
        try:
            return await self._pass_on(request, body, trouble)
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            return _reset(request)

    def _meet(self, request: web.Request) -> Trouble:
        """Tell which trouble this request meets, if any."""
        weather = self.weather
        continues = "watch" in request.query and "sendInitialEvents" not in request.query
        if weather.trouble in (Trouble.GONE, Trouble.STALLED) and not continues:
            return Trouble.NONE
        if weather.trouble is Trouble.NONE or self._chance.random() >= weather.share:
            return Trouble.NONE
        self.met[weather.trouble] += 1
        return weather.trouble

    async def _answer_instead(self, request: web.Request, trouble: Trouble) -> web.StreamResponse:
        if trouble is Trouble.RESETS:
            return _reset(request)
        if trouble is Trouble.BLACK_HOLE:
            await self._until_over(trouble)
            return _reset(request)
        if trouble is Trouble.GONE:
            return web.Response(body=EXPIRED, content_type="application/json")
        status, reason, headers = ANSWERS[trouble]
        message = f"the test's proxy answers {status}"
        said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
        return web.json_response(
            said | {"reason": reason, "message": message}, status=status, headers=headers
        )

    async def _pass_on(self, request: web.Request, body: bytes, trouble: Trouble) -> web.StreamResponse:
        async with self._session.request(
            request.method,
            self._upstream + request.raw_path,
            headers={**_without(request.headers), **UNCOMPRESSED},
            data=body or None,
            allow_redirects=False,
        ) as answer:
            headers = self._move_date(_without(answer.headers))
            if "watch" in request.query and answer.status == 200:
                return await self._stream(request, answer, headers)
            content = await answer.read()
        if trouble is Trouble.UNHEARD:
            await self._until_over(trouble)
        if trouble in AFTER:
            return _reset(request)
        return web.Response(status=answer.status, headers=headers, body=content)

    async def _stream(
        self, request: web.Request, answer: aiohttp.ClientResponse, headers: CIMultiDict[str]
    ) -> web.StreamResponse:
        """Pass a watch on line by line; it may fall silent, or end as expired."""
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)
        rest = b""
        async for chunk in self._chunks(answer):
            await self._until(lambda: self.weather.trouble not in SILENT)
            if self.weather.trouble is Trouble.GONE:
                self.met[Trouble.GONE] += 1
                await response.write(EXPIRED)
                return response
            *lines, rest = (rest + chunk).split(b"\n")
            if lines:
                await response.write(b"\n".join(lines) + b"\n")
        return response

    async def _chunks(self, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """Yield what arrives, and nothing (b"") now and then."""
        reading = None
        try:
            while True:
                reading = reading or asyncio.ensure_future(answer.content.readany())
                done, _ = await asyncio.wait([reading], timeout=LOOK_SECONDS)
                if done:
                    chunk, reading = reading.result(), None
                    if not chunk:
                        return
                    yield chunk
                else:
                    yield b""
        finally:
            if reading is not None:
                reading.cancel()

    async def _until_over(self, trouble: Trouble) -> None:
        await self._until(lambda: self.weather.trouble is not trouble)

    async def _until(self, condition: Callable[[], bool]) -> None:
        await until_async(condition, LONGEST_TROUBLE_SECONDS, every=LOOK_SECONDS)

    def _move_date(self, headers: CIMultiDict[str]) -> CIMultiDict[str]:
        if self.weather.trouble is Trouble.SKEWED:
            date = headers.get("Date")
            told = parsedate_to_datetime(date) if date else datetime.now(UTC)
            moved = told + timedelta(seconds=self.weather.skew_seconds)
            headers["Date"] = format_datetime(moved, usegmt=True)
        return headers


def _reset(request: web.Request) -> web.Response:
    """Break the connection off; the response goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)


def _without(headers: aiohttp.typedefs.LooseHeaders) -> CIMultiDict[str]:
    return CIMultiDict((k, v) for k, v in headers.items() if k.lower() not in NOT_PASSED_ON)  # type: ignore[union-attr]


class Proxies:
    """The proxies of all operators; a context manager that runs them in a thread."""

    def __init__(self, upstream: str, authority: Path, folder: Path, seeds: list[int]) -> None:
        self._authority = authority
        self._folder = folder
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxies", daemon=True)
        self.authority = folder / "proxy-ca.crt"
        self.all = [Proxy(upstream, seed) for seed in seeds]

    def __enter__(self) -> Self:
        authority = create_authority("chaos", datetime.now(UTC))
        write_authority(self._folder, "proxy-ca", authority)
        request = CertificateRequest("proxy", "kube-apiserver", Use.SERVER, names=(LOOPBACK, "localhost"))
        write_certificates(self._folder, authority, [request])
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the proxies did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def clear(self) -> None:
        """End all trouble."""
        for proxy in self.all:
            proxy.weather = CLEAR

    def count_met(self) -> Counter[Trouble]:
        """Count the requests and watches that met trouble, by kind."""
        return sum((proxy.met for proxy in self.all), Counter())

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self._folder / "proxy.crt", self._folder / "proxy.key")
        connector = aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context(cafile=self._authority))
        unlimited = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with aiohttp.ClientSession(
            connector=connector, timeout=unlimited, auto_decompress=False
        ) as session:
            runners = [await proxy.start(session, tls) for proxy in self.all]
            self._started.set()
            await self._stop.wait()
            await asyncio.gather(*(runner.cleanup() for runner in runners))
            await connector.close(abort_ssl=True)
            await asyncio.sleep(TLS_END_SECONDS)
