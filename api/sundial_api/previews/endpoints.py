"""POST /preview."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body

from sundial_api.deps import AppServices, CallerAccess, CurrentCaller, Services
from sundial_api.http.errors import HTTPProblem, document_errors
from sundial_api.http.languages import CurrentLanguage
from sundial_api.http.refusals import translate_refusal
from sundial_api.jobs import service as jobs
from sundial_api.previews.schemas import PreviewRequest, PreviewResponse
from sundial_api.previews.service import preview, read_subject
from sundial_clock.sentences import say
from sundial_core.resources.raw import JsonObject
from sundial_kube.errors import ApiError
from sundial_kube.resources import SCHEDULED_JOBS

router = APIRouter(tags=["jobs"])


@router.post("/preview", responses=document_errors(400, 404, 413))
async def preview_schedule(
    body: Annotated[PreviewRequest, Body()],
    services: AppServices,
    caller: CurrentCaller,
    language: CurrentLanguage,
) -> PreviewResponse:
    """Tell what a schedule would do: in words, its next slots, and what is odd about it."""
    now = services.read_clock()
    job = None if body.job_id is None else await _read_job(body.job_id, services, caller)
    subject = read_subject(body, job, services.settings.time_zone, now)
    return await services.computations.run(lambda budget: preview(subject, body.count, now, language, budget))


async def _read_job(job_id: UUID, services: Services, caller: CallerAccess) -> JsonObject:
    """Read the object of a job that the caller may read; its row lacks window and clock-change policy."""
    async with services.engine.begin() as connection:
        row = await jobs.get_job(connection, job_id)
    await caller.require("get", SCHEDULED_JOBS, row["namespace"])
    try:
        item = await services.client.get(SCHEDULED_JOBS, row["namespace"], row["resource_name"])
    except ApiError as error:
        raise translate_refusal(error) from error
    if item["metadata"]["uid"] != str(job_id):
        raise HTTPProblem(404, say("there is no job of that id any more"))
    return item
