"""What does the active mirror do besides mirroring? Deletes old history, and counts executions again."""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.storage import history_retention
from sundial_api.mirror.storage import statements as sql
from sundial_api.mirror.storage.apply import take_turn
from sundial_api.settings import DatabaseSettings

log = structlog.get_logger()

FIRST_JOB = "00000000-0000-0000-0000-000000000000"
COUNTED_AT_ONCE = 20


class Maintenance:
    """Small pieces of work, one transaction each; `run` does one round."""

    def __init__(
        self, connection: AsyncConnection, settings: DatabaseSettings, metrics: MirrorMetrics
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._metrics = metrics
        self._counted_until = FIRST_JOB

    async def run(self, now: datetime) -> bool:
        """Do one round; tell whether there is more old history to delete."""
        await self._count_again()
        async with self._connection.begin():
            keep = history_retention.choose_keep(self._settings, now)
            return await history_retention.delete_batch(self._connection, keep) > 0

    async def _count_again(self) -> None:
        """Check the totals of the next few jobs, and correct them where they are wrong."""
        async with self._connection.begin():
            slice_ = {"after": self._counted_until, "limit": COUNTED_AT_ONCE}
            job_ids = [str(job_id) for job_id in await self._connection.scalars(sql.NEXT_JOBS, slice_)]
            found = await self._connection.scalars(sql.FIND_MISCOUNTED, {"ids": job_ids})
            wrong = [str(job_id) for job_id in found]
        self._counted_until = job_ids[-1] if job_ids else FIRST_JOB
        if wrong:
            log.error("totals were wrong and are corrected", jobs=wrong)
            self._metrics.corrected_totals.inc(len(wrong))
            async with self._connection.begin():
                await take_turn(self._connection)
                await self._connection.execute(sql.FORGET_COUNTS, {"ids": wrong})
                await self._connection.execute(sql.COUNT_AGAIN, {"ids": wrong})
