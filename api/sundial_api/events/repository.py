"""What has changed since? Rows by the number of their newest change, in the order of their commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.fetch import fetch_all
from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobRow
from sundial_api.jobs.repository import select_jobs

JOBS = ScheduledJobRow.__table__
EXECUTIONS = ScheduledJobExecution.__table__

MAX_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ChangedRows:
    """Rows that changed after a number; `is_complete` when these are all of them."""

    jobs: Sequence[RowMapping]
    executions: Sequence[RowMapping]
    is_complete: bool


async def read_newest(connection: AsyncConnection) -> int:
    """Find the number of the newest change; 0 where there is none."""
    newest = [select(func.max(table.c.change)).scalar_subquery() for table in (JOBS, EXECUTIONS)]
    return int(await connection.scalar(select(func.greatest(*newest, 0))) or 0)


async def list_changed(connection: AsyncConnection, after: int, ns: str | None) -> ChangedRows:
    """List what has changed after a number, in order, as far as both lists reach."""
    found: list[Sequence[RowMapping]] = []
    for query, table in ((select_jobs(), JOBS), (select(EXECUTIONS), EXECUTIONS)):
        where = table.c.namespace == ns if ns is not None else true()
        ordered = query.where(table.c.change > after, where).order_by(table.c.change).limit(MAX_AT_ONCE)
        found.append(await fetch_all(connection, ordered))
    limit = min(map(_compute_end, found))
    jobs, executions = ([row for row in rows if row["change"] <= limit] for rows in found)
    return ChangedRows(jobs, executions, limit == float("inf"))


def _compute_end(rows: Sequence[RowMapping]) -> float:
    """Compute up to which number a list is complete."""
    return rows[-1]["change"] if len(rows) == MAX_AT_ONCE else float("inf")
