"""What is read of executions: pages of a list, by number or by cursor, and one with all its attempts."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.executions import repository
from sundial_api.executions.repository import ExecutionFilter
from sundial_api.executions.schemas import (
    JobExecutionQuery,
    ScheduledJobExecutionListResponse,
    ScheduledJobExecutionRead,
    SlotListResponse,
    SlotRead,
)
from sundial_api.http.errors import HTTPProblem
from sundial_api.http.paging import (
    Page,
    Position,
    check_depth,
    parse_cursor,
    write_cursor,
)


async def list_executions(
    connection: AsyncConnection, wanted: ExecutionFilter, query: JobExecutionQuery
) -> ScheduledJobExecutionListResponse:
    """List executions, newest first; raises Invalid for a page too deep, or a cursor that is none."""
    position = parse_cursor(query.cursor)
    total = await repository.count_executions(connection, wanted)
    if position is not None:
        rows = await repository.list_after(connection, wanted, position, query.per_page)
    else:
        check_depth(query.wanted, total)
        rows = await repository.list_page(connection, wanted, query.wanted, total)
    is_full = len(rows) == query.per_page
    return ScheduledJobExecutionListResponse(
        executions=[ScheduledJobExecutionRead.model_validate(row) for row in rows],
        total=total,
        next_cursor=write_cursor(Position(rows[-1]["started_at"], rows[-1]["id"])) if is_full else None,
    )


async def list_slots(connection: AsyncConnection, job_id: UUID, page: Page) -> SlotListResponse:
    """List the slots of a job that started no run; raises Invalid for a page too deep."""
    total = await repository.count_slots(connection, job_id)
    check_depth(page, total)
    rows = await repository.list_slots(connection, job_id, page)
    return SlotListResponse(slots=[SlotRead.model_validate(row) for row in rows], total=total)


async def get_execution(connection: AsyncConnection, execution_id: UUID) -> RowMapping:
    """Get an execution; raises Problem 404."""
    row = await repository.find_execution(connection, execution_id)
    if row is None:
        raise HTTPProblem(404, "there is no execution of that id")
    return row
