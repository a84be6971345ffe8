"""Is the database where the mirror left it? Each of its transactions is a step, and follows the last one.

One that was restored, or is another one, tells another step: docs/architecture.md, "Restored databases".
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.mirror.storage import statements as sql

log = structlog.get_logger()

MAX_AHEAD = 10**12
"""By so many steps a database may be behind: those of thirty years, at a thousand a second."""


class StepLost(Exception):
    """The database is not where the mirror left it: somebody else has written, into another past or here."""


class DatabaseRestored(StepLost):
    """It is behind: its rows are older than what was known of them."""


@dataclass(frozen=True, slots=True)
class StoredEpoch:
    """The life of the cluster's store that rows are of, and the highest version in it."""

    number: int
    highest_version: int


class MirrorTransactions:
    """The transactions of one session of the mirror; `step` is the number of the last one, of all sessions.

    What the mirror writes is written in one of these, else a restore may go unnoticed.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.step = 0

    async def enter(self) -> StoredEpoch:
        """Find where the database is, to go on from there."""
        async with self.connection.begin():
            stored = (await self.connection.execute(sql.READ_EPOCH)).one()
        self.step = stored.step
        return StoredEpoch(stored.epoch, stored.highest_resource_version)

    def compare(self, told: int) -> None:
        """Compare with the step that was told outside; raises DatabaseRestored where that is newer.

        One that no mirror can have got to is nonsense: to go on from there would use up the numbers.
        """
        if told > self.step + MAX_AHEAD:
            log.warning("the Lease of the mirror tells a step that cannot be", told=told, step=self.step)
        elif told > self.step:
            self.step = told
            raise DatabaseRestored

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[None]:
        """Begin a transaction, committed in the end; raises StepLost instead of committing.

        The step is taken last, after the turn: in that order the API locks too when it takes its own writes.
        """
        async with self.connection.begin():
            yield
            if await self.connection.scalar(sql.TAKE_STEP, {"known": self.step}) is None:
                stored = (await self.connection.execute(sql.READ_EPOCH)).one()
                raise DatabaseRestored if stored.step < self.step else StepLost
        self.step += 1

    async def begin_epoch(self) -> int:
        """Begin an epoch and a log of events: all that the cluster says from then on is newer than the rows.

        Raises StepLost.
        """
        async with self.begin():
            epoch: int = (await self.connection.scalars(sql.BEGIN_EPOCH)).one()
        return epoch

    async def take_over(self) -> int:
        """Begin an epoch wherever the database is, behind all steps that are known."""
        async with self.connection.begin():
            step: int = (await self.connection.scalars(sql.RAISE_STEP, {"known": self.step})).one()
            epoch: int = (await self.connection.scalars(sql.BEGIN_EPOCH)).one()
        self.step = step
        return epoch
