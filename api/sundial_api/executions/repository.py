"""Which executions does the database have? Each list has an index made for it; totals come from counters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Select,
    Uuid,
    and_,
    cast,
    func,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.conditions import Namespaces, is_in
from sundial_api.db.fetch import Row, fetch_all, fetch_first
from sundial_api.db.imported_rows import CLAIMED_AUTHORSHIP
from sundial_api.db.mirror_tables import ExecutionCount, ExecutionLogTail
from sundial_api.db.several_namespaces import (
    MAX_MERGED,
    MAX_ROWS_OF_MANY,
    End,
    select_first,
)
from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobSlot
from sundial_api.http.paging import MAX_OFFSET_ROWS, Page, Position
from sundial_api.mirror.projection.api_values import OPEN_STATUSES
from sundial_api.mirror.projection.custody import KnownPod

EXECUTIONS = ScheduledJobExecution.__table__
COUNTS = ExecutionCount.__table__
SLOTS = ScheduledJobSlot.__table__
TAILS = ExecutionLogTail.__table__
Order = tuple[ColumnElement[Any], ColumnElement[Any]]
NEWEST: Order = (EXECUTIONS.c.started_at.desc(), EXECUTIONS.c.id.desc())
ALL = tuple(column.name for column in EXECUTIONS.c)
COLUMNS = {"authorship": CLAIMED_AUTHORSHIP}
"""What is selected as if it were a column."""
OLDEST: Order = (EXECUTIONS.c.started_at.asc(), EXECUTIONS.c.id.asc())

RECENT_COLUMNS = ("id", "status", "started_at", "duration_seconds", "triggered_by")


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """Which executions are wanted; None is any."""

    job_id: UUID | None = None
    status: str | None = None
    namespaces: Namespaces = None

    @property
    def is_of_several(self) -> bool:
        """Whether rows of several namespaces, and of no single job, are wanted."""
        return self.job_id is None and self.namespaces is not None and len(self.namespaces) > 1

    @property
    def max_offset_rows(self) -> int:
        """How far from either end of the list a page by number may lie."""
        is_of_many = self.is_of_several and len(self.namespaces or ()) > MAX_MERGED
        return MAX_ROWS_OF_MANY if is_of_many else MAX_OFFSET_ROWS


async def list_page(
    connection: AsyncConnection, wanted: ExecutionFilter, page: Page, total: int, names: Iterable[str] = ALL
) -> Sequence[Row]:
    """List a page with the columns of these names, newest first; the older half is read from the old end."""
    behind = total - page.offset - page.size
    if behind >= page.offset:
        query = select_page(wanted, NEWEST, page.offset, page.size, names)
    elif page.size + behind > 0:
        query = select_page(wanted, OLDEST, max(behind, 0), min(page.size, page.size + behind), names)
    else:
        return []
    rows = await fetch_all(connection, query)
    return sorted(rows, key=_age, reverse=True)


def select_page(
    wanted: ExecutionFilter, order: Order, offset: int, size: int, names: Iterable[str] = ALL
) -> Select[Any]:
    """Select the rows of a page, in any order; what comes before them is passed over in the index alone."""
    if wanted.is_of_several:
        end = End.NEWEST if order is NEWEST else End.OLDEST
        ids = select_first(wanted.namespaces or (), _where(wanted), end, offset, size)
    else:
        ids = select(EXECUTIONS.c.id).where(_where(wanted)).order_by(*order).offset(offset).limit(size)
    return _select(names).where(EXECUTIONS.c.id.in_(ids))


async def list_after(
    connection: AsyncConnection,
    wanted: ExecutionFilter,
    position: Position,
    size: int,
    names: Iterable[str] = ALL,
) -> Sequence[Row]:
    """List what follows a position, with the columns of these names, newest first."""
    return await fetch_all(connection, select_after(wanted, position, size, names))


def select_after(
    wanted: ExecutionFilter, position: Position, size: int, names: Iterable[str] = ALL
) -> Select[Any]:
    """Select what follows a position, with the columns of these names, newest first."""
    here = tuple_(EXECUTIONS.c.started_at, EXECUTIONS.c.id) < (position.instant, position.id)
    if not wanted.is_of_several:
        return _select(names).where(_where(wanted), here).order_by(*NEWEST).limit(size)
    ids = select_first(wanted.namespaces or (), and_(_where(wanted), here), End.NEWEST, 0, size)
    return _select(names).where(EXECUTIONS.c.id.in_(ids)).order_by(*NEWEST)


async def list_recent(
    connection: AsyncConnection, job_ids: Sequence[UUID], size: int
) -> dict[UUID, list[Row]]:
    """List the newest executions of each of some jobs, newest first, with instants as texts."""
    rows = await fetch_all(connection, select_recent(job_ids, size)) if job_ids else ()
    return {row["id"]: row["recent"] or [] for row in rows}


def select_recent(job_ids: Sequence[UUID], size: int) -> Select[Any]:
    """Select the newest executions of each of some jobs, as JSON: hundreds of rows would take longer."""
    ids = cast(array(job_ids), ARRAY(Uuid))
    job = func.unnest(ids).table_valued("id", name="job").render_derived()
    columns = [EXECUTIONS.c[name] for name in RECENT_COLUMNS]
    newest = select(*columns).where(EXECUTIONS.c.job_id == job.c.id).order_by(*NEWEST).limit(size)
    shown = select(func.json_agg(literal_column("newest"), type_=JSON))
    recent = shown.select_from(newest.correlate(job).subquery("newest")).correlate(job)
    return select(job.c.id, recent.scalar_subquery().label("recent")).select_from(job)


async def count_executions(connection: AsyncConnection, wanted: ExecutionFilter) -> int:
    """Add up the counters of the namespaces, jobs and states that match."""
    query = select(func.coalesce(func.sum(COUNTS.c.count), 0))
    if wanted.job_id is not None:
        query = query.where(COUNTS.c.job_id == wanted.job_id)
    if wanted.status is not None:
        query = query.where(COUNTS.c.status == wanted.status, COUNTS.c.count > 0)
    if wanted.namespaces is not None:
        query = query.where(is_in(COUNTS.c.namespace, wanted.namespaces), COUNTS.c.count > 0)
    return int(await connection.scalar(query) or 0)


async def simplify(connection: AsyncConnection, wanted: ExecutionFilter, total: int) -> ExecutionFilter:
    """Leave out the namespace where all runs of a job are in it: the index of the job is enough then."""
    if wanted.job_id is None or wanted.namespaces is None:
        return wanted
    of_job = replace(wanted, namespaces=None)
    return of_job if await count_executions(connection, of_job) == total else wanted


async def find_execution(
    connection: AsyncConnection, execution_id: UUID, names: Iterable[str] = ALL
) -> Row | None:
    """Find an execution, with the columns of these names."""
    query = _select(names).where(EXECUTIONS.c.id == execution_id)
    return await fetch_first(connection, query)


async def count_ended(connection: AsyncConnection, ids: Sequence[str]) -> int:
    """Count which of some executions have ended."""
    known = cast(array([UUID(one) for one in ids]), ARRAY(Uuid))
    ended = EXECUTIONS.c.status.not_in(OPEN_STATUSES)
    query = select(func.count()).where(EXECUTIONS.c.id == known.any_(), ended)
    return await connection.scalar(query) or 0 if ids else 0


async def find_log_tail(connection: AsyncConnection, execution_id: UUID, pod: KnownPod) -> Row | None:
    """Find what is kept of the log of a Pod: container, text and whether that is cut."""
    of_pod = (
        TAILS.c.execution_id == execution_id,
        TAILS.c.attempt == pod.attempt,
        TAILS.c.pod_uid == pod.uid,
    )
    columns = (TAILS.c.container, TAILS.c.log_text, TAILS.c.is_cut)
    query = select(*columns).where(*of_pod, TAILS.c.log_text.is_not(None))
    return await fetch_first(connection, query)


async def find_whole_result(connection: AsyncConnection, execution_id: UUID, pod: KnownPod) -> Row | None:
    """Find the result that was read from the log of a Pod, and whether that is cut too."""
    of_pod = (
        TAILS.c.execution_id == execution_id,
        TAILS.c.attempt == pod.attempt,
        TAILS.c.pod_uid == pod.uid,
    )
    query = select(TAILS.c.result, TAILS.c.is_cut.label("is_result_cut"))
    return await fetch_first(connection, query.where(*of_pod, TAILS.c.result.is_not(None)))


async def list_slots(
    connection: AsyncConnection, job_id: UUID, page: Page, names: Iterable[str]
) -> Sequence[Row]:
    """List the slots of a job that started no run, with the columns of these names, newest first."""
    query = select(*(SLOTS.c[name] for name in names)).where(SLOTS.c.job_id == job_id)
    query = query.order_by(SLOTS.c.first_slot.desc()).offset(page.offset).limit(page.size)
    return await fetch_all(connection, query)


async def count_slots(connection: AsyncConnection, job_id: UUID) -> int:
    """Count the rows of slots of a job."""
    return await connection.scalar(select(func.count()).where(SLOTS.c.job_id == job_id)) or 0


def _select(names: Iterable[str]) -> Select[Any]:
    """Select columns by name, and those that an execution's place in a list is known by."""
    wanted = dict.fromkeys([*names, "started_at", "id"])
    return select(*(COLUMNS[name] if name in COLUMNS else EXECUTIONS.c[name] for name in wanted))


def _age(row: Row) -> tuple[datetime, UUID]:
    return row["started_at"], row["id"]


def _where(wanted: ExecutionFilter) -> ColumnElement[bool]:
    """Build what tells the rows that match, but not of which of several namespaces they are."""
    clauses: list[ColumnElement[bool]] = [true()]
    if wanted.job_id is not None:
        clauses.append(EXECUTIONS.c.job_id == wanted.job_id)
    if wanted.status is not None:
        clauses.append(EXECUTIONS.c.status == wanted.status)
    if wanted.namespaces is not None and not wanted.is_of_several:
        clauses.append(is_in(EXECUTIONS.c.namespace, wanted.namespaces))
    return and_(*clauses)
