"""A way to a server that can be cut or frozen, byte by byte: of a database, an API server or a provider.

It passes bytes on and knows no protocol; TLS goes through it as it is. Its own thread runs it, so that a test
may change it from anywhere, and the program that it troubles may be a process.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sundial_devcluster.addresses import LOOPBACK

Address = tuple[str, int] | Path
CHUNK_BYTES = 65_536


class WireState(StrEnum):
    """What a wire does to those who use it."""

    CLEAR = "clear"
    FROZEN = "frozen"  # it takes connections and bytes, and nothing comes back
    CUT = "cut"  # connections are refused, and those that were there are reset


class FaultyWire:
    """A port of this machine that leads to a server, while it is clear."""

    def __init__(self, upstream: Address) -> None:
        self._upstream = upstream
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.state = WireState.CLEAR
        self._last = b""
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            self.port: int = probe.getsockname()[1]

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()
        self._do(self._listen())

    def close(self) -> None:
        """End all, and the thread."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def freeze(self) -> None:
        """Take everything, and answer nothing."""
        self._do(self._change(WireState.FROZEN))

    def freeze_after(self, mark: bytes) -> None:
        """Freeze once bytes with a mark have been passed on: what they ask for is done, and not answered."""
        self._last = mark

    def cut(self) -> None:
        """Reset all connections, and refuse new ones."""
        self._do(self._change(WireState.CUT))

    def clear(self) -> None:
        """Let all pass again; who was frozen is reset, as by a peer that was started anew."""
        self._do(self._change(WireState.CLEAR))

    def _do(self, what: object) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(20)  # type: ignore[arg-type]

    async def _change(self, state: WireState) -> None:
        if WireState.CUT in (state, self.state) or state is WireState.CLEAR:
            await self._hang_up()
        self.state = state
        if state is WireState.CUT:
            await self._close_port()
        elif self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._take, LOOPBACK, self.port)

    async def _close_port(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _hang_up(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _end(self) -> None:
        await self._close_port()
        await self._hang_up()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._carry(reader, writer)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)
            self._writers.discard(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._reach() as (far_reader, far_writer):
            ways = [self._pump(reader, far_writer), self._pump(far_reader, writer)]
            going = [asyncio.create_task(way) for way in ways]
            try:
                await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in going:
                    task.cancel()
                await asyncio.gather(*going, return_exceptions=True)

    @asynccontextmanager
    async def _reach(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        if isinstance(self._upstream, Path):
            reader, writer = await asyncio.open_unix_connection(self._upstream)
        else:
            reader, writer = await asyncio.open_connection(*self._upstream)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes; while it is frozen nothing, and it is not told."""
        while data := await reader.read(CHUNK_BYTES):
            if self.state is WireState.FROZEN:
                await asyncio.Event().wait()
            writer.write(data)
            await writer.drain()
            if self._last and self._last in data:
                self.state = WireState.FROZEN


@contextmanager
def lay_wire(upstream: Address) -> Iterator[FaultyWire]:
    """Give a wire to a server until the block ends."""
    wire = FaultyWire(upstream)
    wire.start()
    try:
        yield wire
    finally:
        wire.close()


@contextmanager
def lay_database_wire(url: str) -> Iterator[tuple[FaultyWire, str]]:
    """Give a wire to a test's Postgres, whose socket is in a folder, and the URL through the wire."""
    parts = urlsplit(url)
    folder = parse_qs(parts.query)["host"][0]
    with lay_wire(Path(folder) / ".s.PGSQL.5432") as wire:
        yield wire, f"postgresql://postgres@{LOOPBACK}:{wire.port}{parts.path}?sslmode=disable"
