"""What is read of executions: pages of a list, by number or by cursor, and one with all its attempts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sundial_api.db.fetch import Row
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
from sundial_api.http.fields import FieldChoice
from sundial_api.http.paging import (
    Page,
    Position,
    check_depth,
    parse_cursor,
    write_cursor,
)
from sundial_api.mirror.projection.api_values import OPEN_STATUSES
from sundial_api.mirror.projection.custody import list_known_pods
from sundial_api.mirror.projection.run_messages import lacks_result
from sundial_clock.sentences import say

CURSOR = "executions/"
"""How the cursors of executions begin: of no other list."""
UUID_TEXT = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def list_executions(
    connection: AsyncConnection,
    wanted: ExecutionFilter,
    query: JobExecutionQuery,
    chosen: FieldChoice[ScheduledJobExecutionRead],
) -> ScheduledJobExecutionListResponse:
    """List executions, newest first; raises Invalid for a page too deep, or a cursor that is none."""
    position, names = parse_cursor(query.cursor, CURSOR), chosen.columns
    total = await repository.count_executions(connection, wanted)
    wanted = await repository.simplify(connection, wanted, total)
    rows: Sequence[Row] = ()
    has_more = False
    if position is not None and total:
        found = await repository.list_after(connection, wanted, position, query.per_page + 1, names)
        rows, has_more = found[: query.per_page], len(found) > query.per_page
    elif position is None:
        check_depth(query.wanted, total, wanted.max_offset_rows)
        rows = await repository.list_page(connection, wanted, query.wanted, total, names)
        has_more = len(rows) == query.per_page and query.wanted.offset + len(rows) < total
    return ScheduledJobExecutionListResponse.model_construct(
        executions=[chosen.read(row) for row in rows],
        total=total,
        next_cursor=_write_place(rows[-1]) if has_more else None,
    )


def _write_place(row: Row) -> str:
    return write_cursor(Position(row["started_at"], row["id"]), CURSOR)


async def count_unfinished(connection: AsyncConnection, job: Row) -> int:
    """Count the runs that want or hold a place of a job.

    One that was cancelled, or has timed out, has ended for its history, and holds its place until its Pods
    are gone: the job's status names it for so long.
    """
    open_runs = [ExecutionFilter(job["id"], status) for status in OPEN_STATUSES]
    count = sum([await repository.count_executions(connection, wanted) for wanted in open_runs])
    ending = [run_id for run_id in job["active_runs"] if UUID_TEXT.fullmatch(run_id)]
    return count + await repository.count_ended(connection, ending)


async def list_slots(
    connection: AsyncConnection, job_id: UUID, page: Page, chosen: FieldChoice[SlotRead]
) -> SlotListResponse:
    """List the slots of a job that started no run; raises Invalid for a page too deep."""
    total = await repository.count_slots(connection, job_id)
    check_depth(page, total)
    rows = await repository.list_slots(connection, job_id, page, chosen.columns)
    return SlotListResponse.model_construct(slots=[chosen.read(row) for row in rows], total=total)


async def get_execution(
    connection: AsyncConnection, execution_id: UUID, names: Iterable[str] = repository.ALL
) -> Row:
    """Get an execution, with the columns of these names; raises Problem 404."""
    row = await repository.find_execution(connection, execution_id, names)
    if row is None:
        raise HTTPProblem(404, say("there is no execution of that id"))
    return row


async def complete_result(engine: AsyncEngine, execution_id: UUID, row: Row) -> Mapping[str, Any]:
    """Put the result that was read from a log in the place of what its message had room for."""
    if "attempts" not in row or row.get("result") is None:
        return row
    newest = row["attempts"][-1:]
    pod = next(list_known_pods(row["namespace"], newest), None)
    if pod is None or not lacks_result(newest[0]["pod"].get("truncated") or ()):
        return row
    async with engine.begin() as connection:
        found = await repository.find_whole_result(connection, execution_id, pod)
    return {**row, "is_result_cut": True, **(found or {})}
