"""What does the active mirror do besides mirroring? Deletes what is not needed, counts again."""

from __future__ import annotations

from datetime import datetime

import structlog

from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.storage import history_retention
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.apply import take_turn
from sundial_api.mirror.storage.function_ids import INLINE
from sundial_api.mirror.storage.transactions import MirrorTransactions
from sundial_api.settings import DatabaseSettings

log = structlog.get_logger()

COUNTED_AT_ONCE = 20
IDS_AT_ONCE = 5_000
"""How many ids of functions are looked at in a round: any name that a job mentions has got one."""


class Maintenance:
    """Small pieces of work, one transaction each; `run` does one round."""

    def __init__(
        self, transactions: MirrorTransactions, settings: DatabaseSettings, metrics: MirrorMetrics
    ) -> None:
        self._transactions = transactions
        self._connection = transactions.connection
        self._settings = settings
        self._metrics = metrics
        self._counted_until = sql.FIRST_ID
        self._ids_until = INLINE

    async def run(self, now: datetime) -> bool:
        """Do one round; tell whether there may be more to delete."""
        await self._count_again()
        dropped = await self._drop_unused_ids()
        async with self._transactions.begin():
            keep = history_retention.choose_keep(self._settings, now)
            return await history_retention.delete_batch(self._connection, keep) + dropped > 0

    async def _drop_unused_ids(self) -> int:
        """Delete which of the next ids no function and no job has any more; returns how many went.

        Who is about to use one has the turn from before it is read to its commit.
        """
        async with self._connection.begin():
            slice_ = {"after": self._ids_until, "limit": IDS_AT_ONCE}
            ids = list(await self._connection.scalars(sql.NEXT_FUNCTION_IDS, slice_))
            unused = list(await self._connection.scalars(sql.FIND_UNUSED_IDS, {"ids": ids}))
        self._ids_until = ids[-1] if len(ids) == IDS_AT_ONCE else INLINE
        if not unused:
            return 0
        async with self._transactions.begin():
            await take_turn(self._connection)
            return (await self._connection.execute(sql.DELETE_UNUSED_IDS, {"ids": unused})).rowcount

    async def _count_again(self) -> None:
        """Check the totals of the next few jobs, and correct them where they are wrong."""
        async with self._connection.begin():
            slice_ = {"after": self._counted_until, "limit": COUNTED_AT_ONCE}
            job_ids = [str(job_id) for job_id in await self._connection.scalars(sql.NEXT_JOBS, slice_)]
            found = await self._connection.scalars(sql.FIND_MISCOUNTED, {"ids": job_ids})
            wrong = [str(job_id) for job_id in found]
        self._counted_until = job_ids[-1] if job_ids else sql.FIRST_ID
        if wrong:
            log.error("totals were wrong and are corrected", jobs=wrong)
            self._metrics.corrected_totals.inc(len(wrong))
            async with self._transactions.begin():
                await take_turn(self._connection)
                await self._connection.execute(sql.FORGET_COUNTS, {"ids": wrong})
                await self._connection.execute(sql.COUNT_AGAIN, {"ids": wrong})
