"""Which jobs does the database have? Enabled and paused are computed here, by the database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.fetch import fetch_all, fetch_first
from sundial_api.db.tables import ScheduledJobRow
from sundial_api.http.paging import Page, Position

JOBS = ScheduledJobRow.__table__
PAUSED = func.coalesce(JOBS.c.paused_until > func.now(), False)
ENABLED = ~JOBS.c.suspended & ~PAUSED
RUNNING = JOBS.c.active_count > 0
LIVE = JOBS.c.deleted_at.is_(None)
COMPUTED = ("is_enabled", "is_paused")


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are wanted; None is any. `name` is a part of the name, in any case."""

    name: str | None = None
    is_enabled: bool | None = None
    task_function_id: int | None = None
    ns: str | None = None


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How many live jobs there are."""

    enabled: int
    disabled: int
    running: int


async def list_page(connection: AsyncConnection, wanted: JobFilter, page: Page) -> Sequence[RowMapping]:
    """List a page, newest first."""
    query = _newest(wanted).offset(page.offset).limit(page.size)
    return await fetch_all(connection, query)


async def list_after(
    connection: AsyncConnection, wanted: JobFilter, position: Position, size: int
) -> Sequence[RowMapping]:
    """List what follows a position, newest first."""
    here = tuple_(JOBS.c.created_at, JOBS.c.id) < (position.instant, position.id)
    return await fetch_all(connection, _newest(wanted).where(here).limit(size))


async def count_matching(connection: AsyncConnection, wanted: JobFilter) -> int:
    """Count the jobs that match."""
    return await connection.scalar(select(func.count()).select_from(JOBS).where(_where(wanted))) or 0


async def count_jobs(connection: AsyncConnection, ns: str | None) -> JobCounts:
    """Count all live jobs, or those of a namespace."""
    query = select(
        func.count().filter(ENABLED), func.count().filter(~ENABLED), func.count().filter(RUNNING)
    ).where(_where(JobFilter(ns=ns)))
    enabled, disabled, running = (await connection.execute(query)).one()
    return JobCounts(enabled, disabled, running)


async def find_job(connection: AsyncConnection, job_id: UUID) -> RowMapping | None:
    """Find a live job by its id."""
    return await fetch_first(connection, select_jobs().where(LIVE, JOBS.c.id == job_id))


async def find_next(connection: AsyncConnection, ns: str | None) -> RowMapping | None:
    """Find the enabled job that runs next."""
    query = select_jobs().where(_where(JobFilter(is_enabled=True, ns=ns)), JOBS.c.next_run_time.is_not(None))
    return await fetch_first(connection, query.order_by(JOBS.c.next_run_time).limit(1))


def select_jobs() -> Select[Any]:
    """Select jobs, deleted ones included, with what is computed."""
    plain = [column for column in JOBS.c if column.name not in COMPUTED]
    return select(*plain, ENABLED.label("is_enabled"), PAUSED.label("is_paused"))


def _newest(wanted: JobFilter) -> Select[Any]:
    return select_jobs().where(_where(wanted)).order_by(JOBS.c.created_at.desc(), JOBS.c.id.desc())


def _where(wanted: JobFilter) -> ColumnElement[bool]:
    clauses: list[ColumnElement[bool]] = [LIVE]
    if wanted.name:
        clauses.append(JOBS.c.name.icontains(wanted.name, autoescape=True))
    if wanted.is_enabled is not None:
        clauses.append(ENABLED if wanted.is_enabled else ~ENABLED)
    if wanted.task_function_id is not None:
        clauses.append(JOBS.c.task_function_id == wanted.task_function_id)
    if wanted.ns is not None:
        clauses.append(JOBS.c.namespace == wanted.ns)
    return and_(*clauses)
