"""POST /jobs/{id}/pause, /resume and /backfill, and POST /executions/{id}/retry."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Response

from sundial_api.actions import pauses
from sundial_api.actions.backfills import Backfiller
from sundial_api.actions.retries import RunRetrier
from sundial_api.actions.schemas import BackfillRequest, BackfillResponse, PauseRequest
from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.http.errors import document_errors
from sundial_api.jobs.endpoints import CHANGE, TAGGED, IdempotencyKey, IfMatch
from sundial_api.jobs.schemas import ScheduledJobRead, ScheduledJobTriggered
from sundial_api.jobs.writer import ScheduledJobWriter

router = APIRouter(tags=["actions"])


@router.post("/jobs/{job_id}/pause", responses=TAGGED | CHANGE)
async def pause_job(
    job_id: UUID,
    response: Response,
    services: AppServices,
    caller: CurrentCaller,
    body: Annotated[PauseRequest | None, Body()] = None,
    if_match: IfMatch = None,
) -> ScheduledJobRead:
    """Hold a job back, with an end or until it is resumed; runs that are active go on."""
    wanted = body or PauseRequest()
    pauses.check_end(wanted.until, services.read_clock())
    writer = ScheduledJobWriter(services, caller)
    written = await writer.change(job_id, lambda item, author: pauses.pause(item, wanted, author), if_match)
    response.headers["ETag"] = f'"{written.etag}"'
    return written.job


@router.post("/jobs/{job_id}/resume", responses=TAGGED | CHANGE)
async def resume_job(
    job_id: UUID, response: Response, services: AppServices, caller: CurrentCaller, if_match: IfMatch = None
) -> ScheduledJobRead:
    """End the pause of a job; what passed meanwhile is not made up for."""
    writer = ScheduledJobWriter(services, caller)
    written = await writer.change(job_id, lambda item, _: pauses.resume(item), if_match)
    response.headers["ETag"] = f'"{written.etag}"'
    return written.job


@router.post("/jobs/{job_id}/backfill", responses=document_errors(400, 404, 409, 413))
async def backfill_job(
    job_id: UUID,
    body: Annotated[BackfillRequest, Body()],
    services: AppServices,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
) -> BackfillResponse:
    """Run the slots of a range of the past that had no run, or tell which those are; never twice."""
    return await Backfiller(services, caller).backfill(job_id, body, idempotency_key)


@router.post("/executions/{execution_id}/retry", responses=document_errors(404, 409))
async def retry_execution(
    execution_id: UUID, services: AppServices, caller: CurrentCaller, idempotency_key: IdempotencyKey = None
) -> ScheduledJobTriggered:
    """Run a job again for an execution that failed, timed out or was cancelled, with the arguments of now."""
    return await RunRetrier(services, caller).retry(execution_id, idempotency_key)
