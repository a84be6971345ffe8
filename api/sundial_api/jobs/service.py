"""What is read of jobs: pages of a list, and one with what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.executions import repository as executions
from sundial_api.executions.repository import ExecutionFilter
from sundial_api.executions.schemas import ScheduledJobExecutionRead
from sundial_api.http.errors import HTTPProblem
from sundial_api.http.paging import (
    Page,
    Position,
    check_depth,
    parse_cursor,
    write_cursor,
)
from sundial_api.jobs import repository
from sundial_api.jobs.repository import JobFilter
from sundial_api.jobs.schemas import (
    JobQuery,
    ScheduledJobDetail,
    ScheduledJobListResponse,
    ScheduledJobRead,
)
from sundial_api.task_functions import repository as functions
from sundial_api.task_functions.schemas import SchedulerJobTypeRead, describe_function

RECENT = Page(1, 10)


async def list_jobs(
    connection: AsyncConnection, wanted: JobFilter, query: JobQuery
) -> ScheduledJobListResponse:
    """List jobs, newest first; the counts are over all jobs, or all of the namespace that is asked for."""
    position = parse_cursor(query.cursor)
    total = await repository.count_matching(connection, wanted)
    if position is not None:
        rows = await repository.list_after(connection, wanted, position, query.per_page)
    else:
        check_depth(query.wanted, total)
        rows = await repository.list_page(connection, wanted, query.wanted)
    counts = await repository.count_jobs(connection, wanted.ns)
    is_full = len(rows) == query.per_page
    return ScheduledJobListResponse(
        jobs=[ScheduledJobRead.model_validate(row) for row in rows],
        total=total,
        enabled_count=counts.enabled,
        disabled_count=counts.disabled,
        running_count=counts.running,
        next_cursor=write_cursor(Position(rows[-1]["created_at"], rows[-1]["id"])) if is_full else None,
    )


async def get_job(connection: AsyncConnection, job_id: UUID) -> RowMapping:
    """Find a live job; raises Problem 404."""
    row = await repository.find_job(connection, job_id)
    if row is None:
        raise HTTPProblem(404, "there is no job of that id")
    return row


async def describe_job(connection: AsyncConnection, row: RowMapping, default_ns: str) -> ScheduledJobDetail:
    """Add to a job its task function, its kind and its newest executions."""
    function_id = row["task_function_id"]
    function: RowMapping | Mapping[str, Any] | None = await functions.find_function(connection, function_id)
    if function is None:
        function = await functions.describe_missing(connection, function_id)
    kind = await functions.find_job_type(connection, row["job_type_id"])
    newest = await executions.list_page(connection, ExecutionFilter(row["id"]), RECENT, RECENT.size)
    return ScheduledJobDetail(
        **dict(row),
        task_function=describe_function(function, default_ns),
        job_type=SchedulerJobTypeRead.model_validate(kind),
        recent_executions=[ScheduledJobExecutionRead.model_validate(row) for row in newest],
    )
