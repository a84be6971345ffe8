"""GET /executions, GET /executions/{id} and POST /executions/{id}/cancel."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.executions import service
from sundial_api.executions.cancel import RunCanceller
from sundial_api.executions.repository import ExecutionFilter
from sundial_api.executions.schemas import (
    ExecutionQuery,
    ScheduledJobExecutionDetail,
    ScheduledJobExecutionListResponse,
    ScheduledJobExecutionRead,
)
from sundial_api.http.errors import document_errors
from sundial_api.http.paging import describe_page, document_page
from sundial_kube.resources import SCHEDULED_JOBS

router = APIRouter(tags=["executions"])


@router.get("/executions", responses=document_page())
async def list_executions(
    response: Response,
    services: AppServices,
    caller: CurrentCaller,
    query: Annotated[ExecutionQuery, Query()],
) -> ScheduledJobExecutionListResponse:
    """List executions of all jobs, deleted ones included, newest first."""
    await caller.require("list", SCHEDULED_JOBS, query.namespace)
    wanted = ExecutionFilter(query.job_id, query.status, query.namespace)
    async with services.engine.begin() as connection:
        answer = await service.list_executions(connection, wanted, query)
    describe_page(response, query.wanted, answer.total)
    return answer


@router.get("/executions/{execution_id}", responses=document_errors(404))
async def get_execution(
    execution_id: UUID, services: AppServices, caller: CurrentCaller
) -> ScheduledJobExecutionDetail:
    """Get an execution with all its attempts."""
    async with services.engine.begin() as connection:
        row = await service.get_execution(connection, execution_id)
    await caller.require("get", SCHEDULED_JOBS, row["namespace"])
    return ScheduledJobExecutionDetail.model_validate(row)


@router.post("/executions/{execution_id}/cancel", responses=document_errors(404, 409))
async def cancel_execution(
    execution_id: UUID, services: AppServices, caller: CurrentCaller
) -> ScheduledJobExecutionRead:
    """End a run: its Pods are stopped, and it ends as failed."""
    return await RunCanceller(services, caller).cancel(execution_id)
