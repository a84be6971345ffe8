"""Which jobs does the database have? Enabled, paused and late are computed here, by the database's clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, null, select, text, true
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.conditions import Namespaces, is_in
from sundial_api.db.fetch import Row, fetch_all, fetch_first
from sundial_api.db.tables import ScheduledJobRow, SchedulerInstance
from sundial_api.http.paging import Page
from sundial_api.jobs.orders import NEXT_RUN, ORDERS, JobOrder, JobPlace, JobSort

LATE_AFTER = timedelta(seconds=60)
"""How far in the past a next run time may lie: statuses are written, and mirrored, a little after a start."""

JOBS = ScheduledJobRow.__table__
INSTANCES = SchedulerInstance.__table__
PAUSED = func.coalesce(JOBS.c.paused_until > func.now(), False)
ENABLED = ~JOBS.c.suspended & ~PAUSED
LATE = ENABLED & (func.now() - literal(LATE_AFTER) > NEXT_RUN)
RUNNING = JOBS.c.active_count > 0
FAILING = JOBS.c.consecutive_failures > 0
LIVE = JOBS.c.deleted_at.is_(None)
FOREVER = JOBS.c.paused_until == text("'infinity'")
COMPUTED: Mapping[str, ColumnElement[Any]] = {
    "is_enabled": ENABLED,
    "is_paused": PAUSED,
    "is_late": LATE,
    "paused_until": case((PAUSED & ~FOREVER, JOBS.c.paused_until), else_=null()),
    "pause_reason": case((PAUSED, JOBS.c.pause_reason), else_=null()),
}
ALL = tuple(dict.fromkeys([*(column.name for column in JOBS.c), *COMPUTED]))
STATES: Mapping[str, ColumnElement[bool]] = {
    "is_enabled": ENABLED,
    "is_paused": PAUSED,
    "is_late": LATE,
    "is_failing": FAILING,
}
"""What a filter can ask of a job, by the filter's field."""
LAST_STATUSES = ("success", "failed", "running")


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are wanted; None is any. `name` is a part of the name, in any case."""

    name: str | None = None
    is_enabled: bool | None = None
    task_function_id: int | None = None
    namespaces: Namespaces = None
    last_status: str | None = None
    is_failing: bool | None = None
    is_late: bool | None = None
    is_paused: bool | None = None


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How many live jobs there are, by what they are; `last_statuses` has the words of the contract."""

    matching: int
    """Those that the filters want; all else counts whatever the filters."""
    enabled: int
    disabled: int
    running: int
    failing: int
    late: int
    paused: int
    last_statuses: Mapping[str, int]


async def list_page(
    connection: AsyncConnection,
    wanted: JobFilter,
    sort: JobSort,
    page: Page,
    names: Iterable[str] = ALL,
) -> Sequence[Row]:
    """List a page in an order, with the columns of these names."""
    ids = select_ids(wanted, sort).offset(page.offset).limit(page.size)
    return await fetch_all(connection, select_page(ids, sort, names))


async def list_after(
    connection: AsyncConnection,
    wanted: JobFilter,
    after: JobPlace,
    size: int,
    names: Iterable[str] = ALL,
) -> Sequence[Row]:
    """List what follows a place, in its order, with the columns of these names."""
    ids = select_ids(wanted, after.sort).where(after.is_before()).limit(size)
    return await fetch_all(connection, select_page(ids, after.sort, names))


async def count_jobs(connection: AsyncConnection, wanted: JobFilter) -> JobCounts:
    """Count all live jobs, or those of some namespaces, and how many of them match, in one go."""
    row = (await connection.execute(select_counts(wanted))).one()
    matching, enabled, disabled, running, failing, late, paused, *last = row
    statuses = dict(zip(LAST_STATUSES, last, strict=True))
    return JobCounts(matching, enabled, disabled, running, failing, late, paused, statuses)


async def find_job(connection: AsyncConnection, job_id: UUID, names: Iterable[str] = ALL) -> Row | None:
    """Find a live job by its id, with the columns of these names."""
    return await fetch_first(connection, select_jobs(names).where(LIVE, JOBS.c.id == job_id))


async def find_next(connection: AsyncConnection, namespaces: Namespaces) -> Row | None:
    """Find the enabled job that runs next."""
    wanted = JobFilter(is_enabled=True, namespaces=namespaces)
    ids = select_ids(wanted, JobSort.NEXT_RUN).where(JOBS.c.next_run_time.is_not(None)).limit(1)
    return await fetch_first(connection, select_page(ids, JobSort.NEXT_RUN))


async def find_leader(connection: AsyncConnection, since: datetime) -> Row | None:
    """Find a leader that was heard of since an instant, first one that holds all starts."""
    is_leading = and_(INSTANCES.c.is_leader, INSTANCES.c.deleted_at.is_(None))
    query = select(INSTANCES.c.term, INSTANCES.c.held_by).where(
        is_leading, INSTANCES.c.last_heartbeat >= since
    )
    return await fetch_first(connection, query.order_by(INSTANCES.c.held_by.is_(None)))


def select_jobs(names: Iterable[str] = ALL) -> Select[Any]:
    """Select jobs, deleted ones included, with the columns of these names, stored or computed."""
    return select(*(_find_column(name) for name in dict.fromkeys(names)))


def _find_column(name: str) -> ColumnElement[Any]:
    return COMPUTED[name].label(name) if name in COMPUTED else JOBS.c[name]


def select_ids(wanted: JobFilter, sort: JobSort) -> Select[Any]:
    """Select the ids of the jobs that match, in an order: of those before a page nothing more is read."""
    return select(JOBS.c.id).where(build_condition(wanted)).order_by(*ORDERS[sort].list_clauses())


def select_page(ids: Select[Any], sort: JobSort, names: Iterable[str] = ALL) -> Select[Any]:
    """Select the jobs of some ids, in an order, each with its place in it."""
    order: JobOrder = ORDERS[sort]
    query = select_jobs(names).add_columns(order.show_place())
    return query.where(JOBS.c.id.in_(ids)).order_by(*order.list_clauses())


def select_counts(wanted: JobFilter) -> Select[Any]:
    """Select how many jobs match, how many there are by what they are, and by how they ended last."""
    kinds: list[ColumnElement[bool]] = [and_(true(), *_list_filters(wanted))]
    kinds += [ENABLED, ~ENABLED, RUNNING, FAILING, LATE, PAUSED]
    kinds += [JOBS.c.last_status == status for status in LAST_STATUSES]
    counts: list[ColumnElement[Any]] = [func.count().filter(kind) for kind in kinds]
    return select(*counts).where(*_list_bounds(wanted))


def build_condition(wanted: JobFilter) -> ColumnElement[bool]:
    """Build what tells the live jobs that match."""
    return and_(*_list_bounds(wanted), *_list_filters(wanted))


def _list_bounds(wanted: JobFilter) -> Iterator[ColumnElement[bool]]:
    """List what tells the live jobs that counts are over."""
    yield LIVE
    if wanted.namespaces is not None:
        yield is_in(JOBS.c.namespace, wanted.namespaces)


def _list_filters(wanted: JobFilter) -> Iterator[ColumnElement[bool]]:
    """List what tells those of them that match."""
    if wanted.name:
        yield JOBS.c.name.icontains(wanted.name, autoescape=True)
    for field, state in STATES.items():
        is_wanted = getattr(wanted, field)
        if is_wanted is not None:
            yield state if is_wanted else ~state
    if wanted.task_function_id is not None:
        yield JOBS.c.task_function_id == wanted.task_function_id
    if wanted.last_status is not None:
        yield JOBS.c.last_status == wanted.last_status
