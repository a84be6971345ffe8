"""The endpoints under /jobs: each checks what the caller may do, and asks the service."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Header, Query, Response

from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.executions import service as executions
from sundial_api.executions.repository import ExecutionFilter
from sundial_api.executions.schemas import (
    JobExecutionQuery,
    ScheduledJobExecutionListResponse,
    ScheduledJobExecutionRead,
    SlotListResponse,
    SlotRead,
)
from sundial_api.http.errors import document_errors
from sundial_api.http.fields import Fields, choose_fields
from sundial_api.http.paging import PageQuery, describe_page, document_page
from sundial_api.jobs import service
from sundial_api.jobs.repository import JobFilter
from sundial_api.jobs.rights import require_job
from sundial_api.jobs.schemas import (
    IncludeQuery,
    JobQuery,
    ScheduledJobCreate,
    ScheduledJobDetail,
    ScheduledJobListResponse,
    ScheduledJobRead,
    ScheduledJobToggle,
    ScheduledJobTriggered,
    ScheduledJobUpdate,
)
from sundial_api.jobs.trigger import RunStarter
from sundial_api.jobs.writer import ScheduledJobWriter, WrittenJob
from sundial_kube.resources import SCHEDULED_JOBS

PAGE = document_page()
NOT_FOUND = document_errors(404)
CHANGE = document_errors(400, 404, 409, 412, 413)
TAG: dict[str, Any] = {"headers": {"ETag": {"description": "For If-Match.", "schema": {"type": "string"}}}}
TAGGED: dict[int | str, dict[str, Any]] = {200: TAG}
CREATED: dict[int | str, dict[str, Any]] = {201: TAG}

router = APIRouter(prefix="/jobs", tags=["jobs"])

IfMatch = Annotated[
    str | None, Header(max_length=1000, description="The ETag that the job must still have; else 412.")
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1, max_length=200, description="A repeat within 24 hours gives what the first one made."
    ),
]


@router.get("", responses=PAGE)
async def list_jobs(
    response: Response,
    services: AppServices,
    caller: CurrentCaller,
    query: Annotated[JobQuery, Query()],
) -> ScheduledJobListResponse:
    """List jobs, newest first unless another order is asked for."""
    reach = await caller.find_reach(SCHEDULED_JOBS, query.namespace)
    wanted = JobFilter(
        name=query.name,
        is_enabled=query.is_enabled,
        task_function_id=query.task_function_id,
        namespaces=reach.namespaces,
        last_status=query.last_status,
        is_failing=query.failing,
        is_late=query.late,
        is_paused=query.paused,
    )
    chosen = choose_fields(ScheduledJobRead, query.fields)
    async with services.engine.begin() as connection:
        answer = await service.list_jobs(connection, wanted, query, chosen)
    describe_page(response, query.wanted, answer.total)
    answer = answer.model_copy(update={"is_complete": reach.is_complete})
    return chosen.answer_list(answer, response)


@router.get("/{job_id}", responses=TAGGED | NOT_FOUND)
async def get_job(
    job_id: UUID,
    response: Response,
    services: AppServices,
    caller: CurrentCaller,
    query: Annotated[IncludeQuery, Query()],
    fields: Fields = None,
) -> ScheduledJobDetail:
    """Get a job with its task function and newest executions."""
    await require_job(job_id, services, caller)
    chosen = choose_fields(ScheduledJobDetail, fields)
    async with services.engine.begin() as connection:
        row = await service.get_job(connection, job_id, [*chosen.columns, *service.MARKS])
        answer = await service.describe_job(connection, row, services, chosen)
        if service.wants_recent(query, chosen):
            await service.add_recent(connection, {job_id: answer})
    response.headers["ETag"] = f'"{row["etag"]}"'
    return chosen.answer(answer, response)


@router.get("/{job_id}/executions", responses=PAGE | NOT_FOUND)
async def list_job_executions(
    job_id: UUID,
    response: Response,
    services: AppServices,
    caller: CurrentCaller,
    query: Annotated[JobExecutionQuery, Query()],
) -> ScheduledJobExecutionListResponse:
    """List the executions of a job, newest first."""
    await require_job(job_id, services, caller)
    wanted = ExecutionFilter(job_id, query.status)
    chosen = choose_fields(ScheduledJobExecutionRead, query.fields, services.signatures.authorship)
    async with services.engine.begin() as connection:
        answer = await executions.list_executions(connection, wanted, query, chosen)
    describe_page(response, query.wanted, answer.total)
    return chosen.answer_list(answer, response)


@router.get("/{job_id}/slots", responses=PAGE | NOT_FOUND)
async def list_job_slots(
    job_id: UUID,
    response: Response,
    services: AppServices,
    caller: CurrentCaller,
    query: Annotated[PageQuery, Query()],
) -> SlotListResponse:
    """List the slots of a job that started no run, newest first."""
    await require_job(job_id, services, caller)
    chosen = choose_fields(SlotRead, query.fields)
    async with services.engine.begin() as connection:
        answer = await executions.list_slots(connection, job_id, query.wanted, chosen)
    describe_page(response, query.wanted, answer.total)
    return chosen.answer_list(answer, response)


@router.post("", status_code=201, responses=CREATED | document_errors(400, 409, 413))
async def create_job(
    body: Annotated[ScheduledJobCreate, Body()],
    response: Response,
    services: AppServices,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> ScheduledJobRead:
    """Create a job."""
    return _tagged(response, await ScheduledJobWriter(services, caller).create(body, idempotency_key))


@router.put("/{job_id}", responses=TAGGED | CHANGE)
async def update_job(
    job_id: UUID,
    body: Annotated[ScheduledJobUpdate, Body()],
    response: Response,
    services: AppServices,
    caller: CurrentCaller,
    if_match: IfMatch = None,
) -> ScheduledJobRead:
    """Change any part of a job; what is left out stays."""
    return _tagged(response, await ScheduledJobWriter(services, caller).update(job_id, body, if_match))


@router.put("/{job_id}/status", responses=TAGGED | CHANGE)
async def toggle_job(
    job_id: UUID,
    body: Annotated[ScheduledJobToggle, Body()],
    response: Response,
    services: AppServices,
    caller: CurrentCaller,
    if_match: IfMatch = None,
) -> ScheduledJobRead:
    """Enable or disable a job."""
    return _tagged(
        response, await ScheduledJobWriter(services, caller).toggle(job_id, body.is_enabled, if_match)
    )


@router.delete("/{job_id}", status_code=204, responses=document_errors(404, 409, 412))
async def delete_job(
    job_id: UUID, services: AppServices, caller: CurrentCaller, if_match: IfMatch = None
) -> None:
    """Delete a job; its executions stay listed."""
    await ScheduledJobWriter(services, caller).delete(job_id, if_match)


@router.post("/{job_id}/trigger", responses=document_errors(404, 409))
async def trigger_job(
    job_id: UUID, services: AppServices, caller: CurrentCaller, idempotency_key: IdempotencyKey = None
) -> ScheduledJobTriggered:
    """Start a run now."""
    return await RunStarter(services, caller).trigger(job_id, idempotency_key)


def _tagged(response: Response, written: WrittenJob) -> ScheduledJobRead:
    response.headers["ETag"] = f'"{written.etag}"'
    return written.job
