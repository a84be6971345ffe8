"""How does the whole history get into Sundial's Postgres? Batch by batch, each of them a transaction.

Who is interrupted begins again: what is there is passed over, and nothing has to be remembered
(docs/migration.md, "Run it again").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sundial_api.importing.history.executions import (
    HistoryGround,
    ImportedExecution,
    NotTaken,
    read_execution,
)
from sundial_api.importing.history.repository import Written
from sundial_api.importing.oddities import Oddities
from sundial_api.importing.original.repository import Original
from sundial_api.importing.original.rows import OddValue, OriginalExecution

Writer = Callable[[AsyncConnection, Sequence[ImportedExecution]], Awaitable[Written]]
"""What deals with rows in a transaction, and says what became of them."""


@dataclass
class HistoryReport:
    """What became, or would become, of the original's history."""

    total: int = 0
    written: Written = field(default_factory=Written)
    not_taken: Counter[str] = field(default_factory=Counter)
    odd: Oddities = field(default_factory=Oddities)


class HistoryImporter:
    """Takes the history over; without an engine it is only read."""

    def __init__(self, ground: HistoryGround, engine: AsyncEngine | None, write: Writer) -> None:
        self._ground = ground
        self._engine = engine
        self._write = write
        self.report = HistoryReport()

    async def run(self, original: Original, advance: Callable[[int], None]) -> HistoryReport:
        """Go through the history; `advance` is told how many rows have been dealt with."""
        async for batch in original.list_executions():
            rows = {row.id: row for row in self._read(batch)}
            self.report.total += len(batch)
            self.report.written += await self._deal_with(list(rows.values()))
            advance(len(batch))
        return self.report

    async def _deal_with(self, rows: Sequence[ImportedExecution]) -> Written:
        if self._engine is None or not rows:
            return Written(added=len(rows))
        async with self._engine.begin() as connection:
            return await self._write(connection, rows)

    def _read(self, batch: Sequence[OriginalExecution]) -> Iterator[ImportedExecution]:
        for row in batch:
            note = partial(self._note, row.id)
            try:
                yield read_execution(row, self._ground, note)
            except NotTaken as error:
                self.report.not_taken[str(error)] += 1
            except OddValue as error:
                note(f"not imported: {error.sort}")

    def _note(self, row_id: str, sort: str) -> None:
        self.report.odd.note(sort, row_id)
