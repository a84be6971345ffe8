"""What is new? One reader a process asks the database, however many callers listen.

Listeners read the tail that it keeps. Only who is behind it (just come back, or reading slowly) reads the
database, a few at a time.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from sundial_api.deps import Signatures
from sundial_api.events.places import MAX_BEHIND, LogPlace, LogState, is_beyond, judge_place
from sundial_api.events.repository import list_changed, read_state
from sundial_api.events.schemas import write_changes, write_reset
from sundial_api.events.tail import Piece, Tail, cut_piece
from sundial_kube.deadline import within

log = structlog.get_logger()

PERIOD_SECONDS = 0.5
MAX_NEWS = 1_000
"""How many changes are read, about, before listeners are told."""
ROOMS = 10
"""Listeners are told in so many groups, spread over a period: all at once would hold up the lists."""
READ_SECONDS = 4.5
"""How long the database may take for what is read at once; a frozen one holds nobody up for longer."""
MAX_CATCHING_UP = 2
"""How many listeners read the database at the same time: the other connections are for lists."""


@dataclass(frozen=True, slots=True)
class Portion:
    """What a listener is sent next, and where it is then."""

    text: bytes
    place: LogPlace


class ChangeLog:
    """The log as this process knows it."""

    def __init__(self, engine: AsyncEngine, signatures: Signatures) -> None:
        self._engine = engine
        self._signatures = signatures
        self._state: LogState | None = None
        self._tail = Tail(0)
        self._told: LogPlace | None = None
        self._rooms = [asyncio.Event() for _ in range(ROOMS)]
        self._next_room = itertools.cycle(range(ROOMS))
        self._catching_up = asyncio.Semaphore(MAX_CATCHING_UP)
        self.is_ended = False

    async def run(self) -> None:
        """Ask for ever; while the database is away nothing is new."""
        is_away = False
        while True:
            was_away, is_away = is_away, not await self._try_news()
            if is_away and not was_away:
                log.warning("the database cannot be asked what has changed")
            await self._tell()

    def end(self) -> None:
        """Let all listeners see that there will be no more, as this process stops."""
        self.is_ended = True
        for news in self._rooms:
            news.set()

    def choose_room(self) -> int:
        """Choose where a listener waits."""
        return next(self._next_room)

    def get_news(self, room: int) -> asyncio.Event:
        """Get what is set when the log has grown since now."""
        return self._rooms[room]

    async def _tell(self) -> None:
        """Tell those who wait, if there is anything new, and let a period pass."""
        end = LogPlace(self._state.log_id, self._tail.end) if self._state else None
        is_new, self._told = end != self._told, end
        for room in range(ROOMS):
            if is_new:
                news, self._rooms[room] = self._rooms[room], asyncio.Event()
                news.set()
            await asyncio.sleep(PERIOD_SECONDS / ROOMS)

    async def _try_news(self) -> bool:
        """Read what is new, and tell whether the database answered; no other error stays either."""
        try:
            with within(READ_SECONDS):
                await self._take_news()
        except (SQLAlchemyError, OSError):
            return False
        except Exception:
            log.exception("cannot read what has changed")
        return True

    async def read_state(self) -> LogState:
        """Read how the log stands in the database; raises SQLAlchemyError."""
        async with self._engine.connect() as connection:
            return await read_state(connection)

    async def read(self, place: LogPlace, namespaces: Collection[str] | None) -> Portion:
        """Give what follows a place, nothing where that is the end; raises SQLAlchemyError."""
        if self._state is None:
            return Portion(b"", place)
        state = await self._read_beyond() if is_beyond(place, self._state) else self._state
        if (reason := judge_place(place, state)) is not None:
            end = LogPlace(state.log_id, max(min(self._tail.end, state.newest), state.forgotten))
            return Portion(write_reset(end, reason), end)
        piece = self._tail.read(place.number, namespaces)
        if piece is None:
            piece = await self._catch_up(place, self._tail.end, namespaces)
        return Portion(piece.text, LogPlace(place.log_id, piece.number))

    async def _read_beyond(self) -> LogState:
        """Read how the log stands for who is beyond what is known here: just come, or of before a restore."""
        async with self._catching_up:
            with within(READ_SECONDS):
                return await self.read_state()

    async def _catch_up(self, place: LogPlace, until: int, namespaces: Collection[str] | None) -> Piece:
        async with self._catching_up:
            with within(READ_SECONDS):
                async with self._engine.connect() as connection:
                    rows = await list_changed(connection, place.number, until, namespaces)
        return cut_piece(write_changes(rows, place.log_id, self._signatures.authorship), namespaces, rows.end)

    async def _take_news(self) -> None:
        """Read on; of another log, one that went back, or from far behind only what comes from now on."""
        async with self._engine.connect() as connection:
            state = await read_state(connection)
            if self._is_elsewhere(state):
                self._tail = Tail(state.newest)
            self._state, until = state, self._tail.end + MAX_NEWS
            while self._tail.end < min(state.newest, until):
                rows = await list_changed(connection, self._tail.end, state.newest, None)
                events = write_changes(rows, state.log_id, self._signatures.authorship)
                self._tail.extend(events, rows.end)

    def _is_elsewhere(self, state: LogState) -> bool:
        """Tell whether everybody who has followed so far is sent a reset."""
        is_other = self._state is None or state.log_id != self._state.log_id
        went_back = state.issued < self._tail.end
        return is_other or went_back or state.newest - self._tail.end > MAX_BEHIND
