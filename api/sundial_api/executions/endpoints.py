"""GET /executions, GET /executions/{id} and POST /executions/{id}/cancel."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.executions import service
from sundial_api.executions.cancel import RunCanceller
from sundial_api.executions.logs import LogReader
from sundial_api.executions.repository import ExecutionFilter
from sundial_api.executions.schemas import (
    ExecutionLog,
    ExecutionQuery,
    LogQuery,
    ScheduledJobExecutionDetail,
    ScheduledJobExecutionListResponse,
    ScheduledJobExecutionRead,
)
from sundial_api.http.errors import document_errors
from sundial_api.http.fields import Fields, choose_fields
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
    reach = await caller.find_reach(SCHEDULED_JOBS, query.namespace)
    wanted = ExecutionFilter(query.job_id, query.status, reach.namespaces)
    chosen = choose_fields(ScheduledJobExecutionRead, query.fields, services.signatures.authorship)
    async with services.engine.begin() as connection:
        answer = await service.list_executions(connection, wanted, query, chosen)
    describe_page(response, query.wanted, answer.total)
    answer = answer.model_copy(update={"is_complete": reach.is_complete})
    return chosen.answer_list(answer, response)


@router.get("/executions/{execution_id}", responses=document_errors(404))
async def get_execution(
    execution_id: UUID,
    response: Response,
    services: AppServices,
    caller: CurrentCaller,
    fields: Fields = None,
) -> ScheduledJobExecutionDetail:
    """Get an execution with all its attempts."""
    chosen = choose_fields(ScheduledJobExecutionDetail, fields, services.signatures.authorship)
    async with services.engine.begin() as connection:
        row = await service.get_execution(connection, execution_id, [*chosen.columns, "namespace"])
    await caller.require("get", SCHEDULED_JOBS, row["namespace"])
    whole = await service.complete_result(services.engine, execution_id, row)
    return chosen.answer(chosen.read(whole), response)


@router.get("/executions/{execution_id}/log", responses=document_errors(404, 409))
async def get_execution_log(
    execution_id: UUID,
    services: AppServices,
    caller: CurrentCaller,
    query: Annotated[LogQuery, Query()],
) -> ExecutionLog:
    """Get the end of the log of a run, while its Pod is there; of a failed one what is kept of it."""
    return await LogReader(services, caller).read(execution_id, query)


@router.post("/executions/{execution_id}/cancel", responses=document_errors(404, 409))
async def cancel_execution(
    execution_id: UUID, services: AppServices, caller: CurrentCaller
) -> ScheduledJobExecutionRead:
    """End a run: its Pods are stopped, and it ends as failed."""
    return await RunCanceller(services, caller).cancel(execution_id)
