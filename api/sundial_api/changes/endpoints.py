"""GET /jobs/{id}/changes."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.changes import repository
from sundial_api.changes.schemas import JobChangeListResponse, JobChangeQuery, JobChangeRead
from sundial_api.db.fetch import Row
from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.http.errors import HTTPProblem, document_errors
from sundial_api.http.paging import (
    Position,
    check_depth,
    describe_page,
    document_page,
    parse_cursor,
    write_cursor,
)
from sundial_clock.sentences import say
from sundial_kube.resources import SCHEDULED_JOBS

CURSOR = "changes/"
"""How the cursors of changes begin: of no other list."""

router = APIRouter(prefix="/jobs", tags=["changes"])


@router.get("/{job_id}/changes", responses=document_page() | document_errors(404))
async def list_job_changes(
    job_id: UUID,
    response: Response,
    services: AppServices,
    caller: CurrentCaller,
    query: Annotated[JobChangeQuery, Query()],
) -> JobChangeListResponse:
    """List what was changed of a job, newest first; of a deleted one too."""
    async with services.engine.begin() as connection:
        ns = await repository.find_namespace(connection, job_id)
    if ns is None:
        raise HTTPProblem(404, say("there is no job of that id, and there is no history of one"))
    await caller.require("get", SCHEDULED_JOBS, ns)
    async with services.engine.begin() as connection:
        answer = await _list_changes(connection, job_id, query)
    describe_page(response, query.wanted, answer.total)
    return answer


async def _list_changes(
    connection: AsyncConnection, job_id: UUID, query: JobChangeQuery
) -> JobChangeListResponse:
    """List a page; raises Invalid for a cursor that is none."""
    position = parse_cursor(query.cursor, CURSOR)
    total = await repository.count_changes(connection, job_id)
    if position is not None:
        found = await repository.list_after(connection, job_id, position, query.per_page + 1)
        rows, has_more = found[: query.per_page], len(found) > query.per_page
    else:
        check_depth(query.wanted, total)
        rows = await repository.list_page(connection, job_id, query.wanted)
        has_more = len(rows) == query.per_page and query.wanted.offset + len(rows) < total
    return JobChangeListResponse(
        changes=[JobChangeRead.model_validate(row) for row in rows],
        total=total,
        next_cursor=_write_place(rows[-1]) if has_more else None,
    )


def _write_place(row: Row) -> str:
    return write_cursor(Position(row["seen_at"], row["id"]), CURSOR)
