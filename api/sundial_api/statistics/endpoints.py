"""GET /jobs/{id}/statistics."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.http.errors import document_errors
from sundial_api.jobs.rights import require_job
from sundial_api.statistics import service
from sundial_api.statistics.schemas import JobStatistics, StatisticsQuery

router = APIRouter(tags=["jobs"])


@router.get("/jobs/{job_id}/statistics", responses=document_errors(404))
async def get_job_statistics(
    job_id: UUID,
    services: AppServices,
    caller: CurrentCaller,
    query: Annotated[StatisticsQuery, Query()],
) -> JobStatistics:
    """Tell how the runs of a job did: success, duration and lateness, in all and by day."""
    job = await require_job(job_id, services, caller)
    async with services.engine.begin() as connection:
        return await service.describe_runs(connection, job, query, services.read_clock())
