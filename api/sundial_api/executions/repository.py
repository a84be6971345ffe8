"""Which executions does the database have? Each list has an index made for it; totals come from counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.bookkeeping import ExecutionCount
from sundial_api.db.rows import fetch_all, fetch_first
from sundial_api.db.tables import ScheduledJob, ScheduledJobExecution, ScheduledJobSlot
from sundial_api.paging import Page, Position

EXECUTIONS = ScheduledJobExecution.__table__
COUNTS = ExecutionCount.__table__
JOBS = ScheduledJob.__table__
SLOTS = ScheduledJobSlot.__table__


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
        return await fetch_all(connection, _newest(wanted).offset(page.offset).limit(page.size))
    size = min(page.size, page.size + behind)
    if size <= 0:
        return []
    query = select(EXECUTIONS).where(_where(wanted))
    query = query.order_by(EXECUTIONS.c.started_at, EXECUTIONS.c.id).offset(max(behind, 0)).limit(size)
    return list(reversed(await fetch_all(connection, query)))


async def list_after(
    connection: AsyncConnection, wanted: ExecutionFilter, position: Position, size: int
) -> Sequence[RowMapping]:
    """List what follows a position, newest first."""
    here = tuple_(EXECUTIONS.c.started_at, EXECUTIONS.c.id) < (position.instant, position.id)
    return await fetch_all(connection, _newest(wanted).where(here).limit(size))


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


def _newest(wanted: ExecutionFilter) -> Select[Any]:
    query = select(EXECUTIONS).where(_where(wanted))
    return query.order_by(EXECUTIONS.c.started_at.desc(), EXECUTIONS.c.id.desc())


def _where(wanted: ExecutionFilter) -> ColumnElement[bool]:
    clauses: list[ColumnElement[bool]] = [true()]
    if wanted.job_id is not None:
        clauses.append(EXECUTIONS.c.job_id == wanted.job_id)
    if wanted.status is not None:
        clauses.append(EXECUTIONS.c.status == wanted.status)
    if wanted.ns is not None:
        clauses.append(EXECUTIONS.c.namespace == wanted.ns)
    return and_(*clauses)
