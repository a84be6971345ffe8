"""Which executions does the database have? Each list has an index made for it; totals come from counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.fetch import fetch_all, fetch_first
from sundial_api.db.mirror_tables import ExecutionCount
from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobRow, ScheduledJobSlot
from sundial_api.http.paging import Page, Position

EXECUTIONS = ScheduledJobExecution.__table__
COUNTS = ExecutionCount.__table__
JOBS = ScheduledJobRow.__table__
SLOTS = ScheduledJobSlot.__table__
Order = tuple[ColumnElement[Any], ColumnElement[Any]]
NEWEST: Order = (EXECUTIONS.c.started_at.desc(), EXECUTIONS.c.id.desc())
OLDEST: Order = (EXECUTIONS.c.started_at.asc(), EXECUTIONS.c.id.asc())


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """Which executions are wanted; None is any."""

    job_id: UUID | None = None
    status: str | None = None
    ns: str | None = None


async def list_page(
    connection: AsyncConnection, wanted: ExecutionFilter, page: Page, total: int
) -> Sequence[RowMapping]:
    """List a page, newest first; one in the older half is read from the old end."""
    behind = total - page.offset - page.size
    if behind >= page.offset:
        query = select_page(wanted, NEWEST, page.offset, page.size)
    elif page.size + behind > 0:
        query = select_page(wanted, OLDEST, max(behind, 0), min(page.size, page.size + behind))
    else:
        return []
    rows = await fetch_all(connection, query)
    return sorted(rows, key=lambda row: (row["started_at"], row["id"]), reverse=True)


def select_page(wanted: ExecutionFilter, order: Order, offset: int, size: int) -> Select[Any]:
    """Select the rows of a page, in any order; what comes before them is passed over in the index alone."""
    ids = select(EXECUTIONS.c.id).where(_where(wanted)).order_by(*order).offset(offset).limit(size)
    return select(EXECUTIONS).where(EXECUTIONS.c.id.in_(ids))


async def list_after(
    connection: AsyncConnection, wanted: ExecutionFilter, position: Position, size: int
) -> Sequence[RowMapping]:
    """List what follows a position, newest first."""
    here = tuple_(EXECUTIONS.c.started_at, EXECUTIONS.c.id) < (position.instant, position.id)
    query = select(EXECUTIONS).where(_where(wanted), here).order_by(*NEWEST).limit(size)
    return await fetch_all(connection, query)


async def count_executions(connection: AsyncConnection, wanted: ExecutionFilter) -> int:
    """Add up the counters of the jobs and states that match."""
    query = select(func.coalesce(func.sum(COUNTS.c.count), 0))
    if wanted.job_id is not None:
        query = query.where(COUNTS.c.job_id == wanted.job_id)
    if wanted.status is not None:
        query = query.where(COUNTS.c.status == wanted.status, COUNTS.c.count > 0)
    if wanted.ns is not None:
        query = query.where(COUNTS.c.job_id.in_(select(JOBS.c.id).where(JOBS.c.namespace == wanted.ns)))
    return int(await connection.scalar(query) or 0)


async def find_execution(connection: AsyncConnection, execution_id: UUID) -> RowMapping | None:
    """Find an execution."""
    query = select(EXECUTIONS).where(EXECUTIONS.c.id == execution_id)
    return await fetch_first(connection, query)


async def list_slots(connection: AsyncConnection, job_id: UUID, page: Page) -> Sequence[RowMapping]:
    """List the slots of a job that started no run, newest first."""
    query = select(SLOTS).where(SLOTS.c.job_id == job_id)
    query = query.order_by(SLOTS.c.first_slot.desc()).offset(page.offset).limit(page.size)
    return await fetch_all(connection, query)


async def count_slots(connection: AsyncConnection, job_id: UUID) -> int:
    """Count the rows of slots of a job."""
    return await connection.scalar(select(func.count()).where(SLOTS.c.job_id == job_id)) or 0


def _where(wanted: ExecutionFilter) -> ColumnElement[bool]:
    clauses: list[ColumnElement[bool]] = [true()]
    if wanted.job_id is not None:
        clauses.append(EXECUTIONS.c.job_id == wanted.job_id)
    if wanted.status is not None:
        clauses.append(EXECUTIONS.c.status == wanted.status)
    if wanted.ns is not None:
        clauses.append(EXECUTIONS.c.namespace == wanted.ns)
    return and_(*clauses)
