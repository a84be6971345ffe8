"""The endpoints under /jobs: each checks what the caller may do, and asks the service."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from sundial_api.deps import Asking, Connection
from sundial_api.executions import service as executions
from sundial_api.executions.repository import ExecutionFilter
from sundial_api.executions.schemas import JobExecutionQuery, ScheduledJobExecutionListResponse
from sundial_api.jobs import service
from sundial_api.jobs.repository import JobFilter
from sundial_api.jobs.schemas import JobQuery, ScheduledJobDetail, ScheduledJobListResponse
from sundial_api.paging import describe_page
from sundial_kube.resources import SCHEDULED_JOBS

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("")
async def list_jobs(
    response: Response, connection: Connection, visitor: Asking, query: Annotated[JobQuery, Query()]
) -> ScheduledJobListResponse:
    """List jobs, newest first."""
    await visitor.require("list", SCHEDULED_JOBS, query.namespace)
    wanted = JobFilter(query.name, query.is_enabled, query.task_function_id, query.namespace)
    answer = await service.list_jobs(connection, wanted, query)
    describe_page(response, query.wanted, answer.total)
    return answer


@router.get("/{job_id}")
async def get_job(
    job_id: UUID, response: Response, connection: Connection, visitor: Asking
) -> ScheduledJobDetail:
    """Get a job with its task function and newest executions."""
    row = await service.find_job(connection, job_id)
    await visitor.require("get", SCHEDULED_JOBS, row["namespace"])
    response.headers["ETag"] = f'"{row["etag"]}"'
    return await service.describe_job(connection, row)


@router.get("/{job_id}/executions")
async def list_job_executions(
    job_id: UUID,
    response: Response,
    connection: Connection,
    visitor: Asking,
    query: Annotated[JobExecutionQuery, Query()],
) -> ScheduledJobExecutionListResponse:
    """List the executions of a job, newest first."""
    row = await service.find_job(connection, job_id)
    await visitor.require("get", SCHEDULED_JOBS, row["namespace"])
    answer = await executions.list_executions(connection, ExecutionFilter(job_id, query.status), query)
    describe_page(response, query.wanted, answer.total)
    return answer
