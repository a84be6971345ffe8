"""What is read of jobs: pages of a list, and one with what belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.fetch import Row
from sundial_api.deps import Services
from sundial_api.executions import repository as executions
from sundial_api.executions.repository import ExecutionFilter
from sundial_api.executions.schemas import RecentExecutionRead, ScheduledJobExecutionRead
from sundial_api.http.errors import HTTPProblem
from sundial_api.http.fields import FieldChoice, choose_fields
from sundial_api.http.paging import Page, check_depth
from sundial_api.jobs import repository
from sundial_api.jobs.orders import parse_place, write_place
from sundial_api.jobs.repository import JobFilter
from sundial_api.jobs.schemas import (
    IncludeQuery,
    JobInclude,
    JobQuery,
    LastStatusCounts,
    ScheduledJobDetail,
    ScheduledJobListResponse,
    ScheduledJobRead,
)
from sundial_api.task_functions import repository as functions
from sundial_api.task_functions.schemas import TaskFunctionRead, describe_function
from sundial_clock.sentences import say

RECENT = Page(1, 10)
MARKS = ("id", "etag")
"""What is read of a job in any case."""
RECENT_RESULTS = TypeAdapter(list[RecentExecutionRead])
MOST_RECENT = 30
"""How many results of a job `include=recent` gives."""


async def list_jobs(
    connection: AsyncConnection,
    wanted: JobFilter,
    query: JobQuery,
    chosen: FieldChoice[ScheduledJobRead],
) -> ScheduledJobListResponse:
    """List jobs in an order; the counts are over all jobs of the namespaces, whatever the filters.

    Raises Invalid for a page too deep, or a cursor that is none of that order.
    """
    sort, names = query.sort, chosen.columns
    place = parse_place(sort, query.cursor)
    counts = await repository.count_jobs(connection, wanted)
    if place is not None:
        found = await repository.list_after(connection, wanted, place, query.per_page + 1, names)
        rows, has_more = found[: query.per_page], len(found) > query.per_page
    else:
        check_depth(query.wanted, counts.matching)
        rows = await repository.list_page(connection, wanted, sort, query.wanted, names)
        has_more = len(rows) == query.per_page and query.wanted.offset + len(rows) < counts.matching
    jobs = [chosen.read(row) for row in rows]
    if wants_recent(query, chosen):
        await add_recent(connection, {row["id"]: job for row, job in zip(rows, jobs, strict=True)})
    return ScheduledJobListResponse.model_construct(
        jobs=jobs,
        total=counts.matching,
        enabled_count=counts.enabled,
        disabled_count=counts.disabled,
        running_count=counts.running,
        failing_count=counts.failing,
        late_count=counts.late,
        paused_count=counts.paused,
        last_status_counts=LastStatusCounts(**counts.last_statuses),
        next_cursor=write_place(sort, rows[-1]) if has_more else None,
    )


def wants_recent(query: IncludeQuery, chosen: FieldChoice[Any]) -> bool:
    """Tell whether the newest results of jobs are wanted."""
    is_asked = chosen.is_narrowed or JobInclude.RECENT in query.include
    return is_asked and "recent" in chosen.names


async def add_recent(connection: AsyncConnection, jobs: Mapping[UUID, ScheduledJobRead]) -> None:
    """Add to each of some jobs its newest results, all by one query."""
    found = await executions.list_recent(connection, list(jobs), MOST_RECENT)
    for job_id, job in jobs.items():
        job.recent = RECENT_RESULTS.validate_python(found.get(job_id, []))


async def get_job(connection: AsyncConnection, job_id: UUID, names: Iterable[str] = repository.ALL) -> Row:
    """Find a live job, with the columns of these names; raises Problem 404."""
    row = await repository.find_job(connection, job_id, names)
    if row is None:
        raise HTTPProblem(404, say("there is no job of that id"))
    return row


async def describe_job(
    connection: AsyncConnection, row: Row, services: Services, chosen: FieldChoice[ScheduledJobDetail]
) -> ScheduledJobDetail:
    """Add to a job its task function, its kind and its newest executions, as far as they are wanted."""
    added: dict[str, Any] = {}
    if "task_function" in chosen.names:
        added["task_function"] = await _find_function(connection, row["task_function_id"], services)
    if "job_type" in chosen.names:
        added["job_type"] = await functions.find_job_type(connection, row["job_type_id"])
    if "recent_executions" in chosen.names:
        added["recent_executions"] = await _list_recent(connection, row["id"], services)
    return chosen.read(dict(row) | added)


async def _find_function(
    connection: AsyncConnection, function_id: int, services: Services
) -> TaskFunctionRead:
    found = await functions.find_function(connection, function_id)
    missing = None if found else await functions.describe_missing(connection, function_id)
    return describe_function(found or missing or {}, services.settings.namespace)


async def _list_recent(
    connection: AsyncConnection, job_id: UUID, services: Services
) -> list[ScheduledJobExecutionRead]:
    whole = choose_fields(ScheduledJobExecutionRead, None, services.signatures.authorship)
    wanted = ExecutionFilter(job_id)
    rows = await executions.list_page(connection, wanted, RECENT, RECENT.size, whole.columns)
    return [whole.read(row) for row in rows]
