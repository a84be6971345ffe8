"""What keeps the end of the log of an attempt that failed? The active mirror, beside its rows and after them.

Which logs are wanted is in the database, written with the rows: nothing is lost with a process. Nothing that
goes wrong here ends the mirror's session. The rule: docs/architecture.md, "The ends of logs".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sundial_api.mirror.cancellations import is_told_to_stop
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.pod_logs import (
    ContainerChoice,
    LogRefused,
    PodGone,
    choose_failed,
    choose_reporter,
    read_pod_log,
)
from sundial_api.mirror.projection.log_texts import READ_BYTES, RECORD_BYTES, PodLog, build_tail
from sundial_api.mirror.projection.run_messages import LONGEST_LINE, parse_last_line
from sundial_api.mirror.session import MirrorConfig
from sundial_api.mirror.storage import log_tails
from sundial_api.mirror.storage.log_tails import DueTail, LogPurpose
from sundial_core.coordination.backoff import Backoff
from sundial_kube.client import KubeClient
from sundial_kube.deadline import within
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.jitter import with_jitter

log = structlog.get_logger()

LINES = 1000
"""As many as can be asked of the API."""
AT_ONCE = 8
"""How many logs are read at the same time."""
READ_SECONDS = 8.0
"""How long reading one may take; it is due again after `log_tails.AGAIN_SECONDS`."""
LOOK_SECONDS = 1.0
MAX_TRIES = 6
"""How often a log is tried whose Pod is there: over five minutes."""
MAX_AGE = timedelta(days=1)
"""For how long a log is wanted while the API server gives no answer."""
BACKOFF = Backoff(first_seconds=1.0, max_seconds=30.0)
MAX_LOGGED_CHARS = 200
FORBIDDEN = 403
TROUBLE = (401, FORBIDDEN, 429)
"""With these a log is refused to us, whichever it is."""
RESULT_LINES = 72
"""In which the last line lies: a node writes it in pieces, the smallest known are of 4 KiB."""
_HOW: Mapping[LogPurpose, tuple[ContainerChoice, int, int]] = {
    LogPurpose.TAIL: (choose_failed, LINES, READ_BYTES),
    LogPurpose.RESULT: (choose_reporter, RESULT_LINES, LONGEST_LINE + 4 * RECORD_BYTES),
}
"""Of which container how much is read; four pieces more than a line leave room for what it follows."""


@asynccontextmanager
async def keep_log_tails(
    engine: AsyncEngine, client: KubeClient, role: MirrorConfig, metrics: MirrorMetrics
) -> AsyncIterator[None]:
    """Keep the ends of logs meanwhile, if the settings say so."""
    if not log_tails.choose_purposes(role.settings):
        yield
        return
    keeping = asyncio.create_task(LogKeeper(engine, client, role, metrics).run(), name="log tails")
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


class LogKeeper:
    """Reads the logs that are wanted, and keeps their ends; `run` runs until it is cancelled."""

    def __init__(
        self, engine: AsyncEngine, client: KubeClient, role: MirrorConfig, metrics: MirrorMetrics
    ) -> None:
        self._engine = engine
        self._client = client
        self._most_bytes = role.settings.log_tail_bytes
        self._purposes = log_tails.choose_purposes(role.settings)
        self._refused: set[str] = set()
        """The namespaces whose logs we may not read, of which that was said."""
        self._read_clock = role.read_clock
        self._metrics = metrics
        self._connecting = asyncio.Lock()
        self._reads: dict[asyncio.Task[None], str] = {}
        """What is under way, each with its namespace."""
        self._troubles = 0
        self._resumes_at = 0.0

    async def run(self) -> None:
        """Read what is due, until cancelled."""
        try:
            while True:
                await self._look()
                await self._rest()
        finally:
            await self._end_reads()

    async def _look(self) -> None:
        """Begin what is due; whatever goes wrong, the next look may be better."""
        try:
            await self._begin_reads()
        except (Exception, asyncio.CancelledError) as error:
            if is_told_to_stop():
                raise
            self._note(error)
            self._pause()

    async def _begin_reads(self) -> None:
        free = AT_ONCE - len(self._reads)
        if not free or time.monotonic() < self._resumes_at:
            return
        busy = sorted(set(self._reads.values()))
        async with self._connect() as connection:
            taken = await log_tails.take_due(connection, self._read_clock(), free, busy, self._purposes)
        for due in taken:
            reading = asyncio.create_task(self._settle(due))
            self._reads[reading] = due.namespace
            reading.add_done_callback(self._reads.pop)

    async def _rest(self) -> None:
        """Wait for the end of a read, else a moment."""
        if self._reads:
            await asyncio.wait(self._reads, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(LOOK_SECONDS)

    async def _end_reads(self) -> None:
        reads = list(self._reads)
        for reading in reads:
            reading.cancel()
        if reads:
            await asyncio.wait(reads)

    async def _settle(self, due: DueTail) -> None:
        """Read a log and keep its end; what keeps us from it is counted, and the log is due again."""
        try:
            try:
                await self._keep(due, await self._read(due))
            except PodGone:
                await self._give_up(due, "gone")
            except (ApiError, ApiUnreachable) as trouble:
                self._note_trouble(trouble, due.namespace)
                self._pause()
                if self._read_clock() - due.wanted_at > MAX_AGE:
                    await self._give_up(due, "dropped")
            except Exception as error:  # noqa: BLE001 - of this log alone
                self._note(error)
                await self._note_failure(due)
        except Exception as error:  # noqa: BLE001 - the database's; the log is due again
            self._note(error)

    async def _read(self, due: DueTail) -> PodLog:
        """Read a log; an ApiError or ApiUnreachable is no trouble of this log, but of all."""
        if due.pod is None:
            raise PodGone(due.pod_uid)
        try:
            with within(READ_SECONDS):
                found = await read_pod_log(self._client, due.pod, *_HOW[due.purpose])
        except LogRefused as refusal:
            if isinstance(refusal.cause, ApiError) and refusal.cause.status in TROUBLE:
                raise refusal.cause from refusal
            raise
        self._troubles = 0
        self._refused.discard(due.namespace)
        return found

    def _pause(self) -> None:
        """Begin nothing for a while, longer with each trouble in a row."""
        self._troubles += 1
        self._resumes_at = time.monotonic() + with_jitter(BACKOFF.after(self._troubles))

    def _note_trouble(self, trouble: ApiError | ApiUnreachable, ns: str) -> None:
        """Note what keeps us from all logs; that a right is missing in a namespace is said once."""
        if not isinstance(trouble, ApiError) or trouble.status != FORBIDDEN:
            self._note(trouble)
            return
        self._metrics.log_tail_failures.labels(type(trouble).__name__).inc()
        if ns not in self._refused:
            self._refused.add(ns)
            log.warning("logs may not be read: grant get on pods/log", namespace=ns)

    def _note(self, error: BaseException) -> None:
        cause = error.cause if isinstance(error, LogRefused) else error
        self._metrics.log_tail_failures.labels(type(cause).__name__).inc()
        log.warning(
            "the log of an attempt is not read yet",
            kind=type(cause).__name__,
            error=str(cause)[:MAX_LOGGED_CHARS],
        )

    async def _keep(self, due: DueTail, found: PodLog) -> None:
        if due.purpose is LogPurpose.RESULT:
            await self._keep_result(due, found)
            return
        tail = build_tail(found, self._most_bytes)
        async with self._connect() as connection:
            await log_tails.keep(connection, due, found.container, tail, self._read_clock())
        self._metrics.log_tails.labels("kept").inc()

    async def _keep_result(self, due: DueTail, found: PodLog) -> None:
        message = await asyncio.to_thread(parse_last_line, found.data)
        if message is None:
            await self._give_up(due, "dropped")
            return
        async with self._connect() as connection:
            await log_tails.keep_result(connection, due, found.container, message, self._read_clock())
        self._metrics.log_tails.labels("kept").inc()

    async def _give_up(self, due: DueTail, outcome: str) -> None:
        async with self._connect() as connection:
            await log_tails.give_up(connection, due)
        self._metrics.log_tails.labels(outcome).inc()

    async def _note_failure(self, due: DueTail) -> None:
        async with self._connect() as connection:
            was_last = await log_tails.note_failure(connection, due, MAX_TRIES)
        if was_last:
            self._metrics.log_tails.labels("dropped").inc()

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[AsyncConnection]:
        """Take one connection, in one transaction; of all that wait for it one has it."""
        async with self._connecting, self._engine.begin() as connection:
            yield connection
