"""GET /task-functions and GET /job-types."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.http.fields import choose_fields
from sundial_api.http.paging import describe_page, document_page
from sundial_api.task_functions import repository
from sundial_api.task_functions.repository import FunctionFilter
from sundial_api.task_functions.schemas import (
    SchedulerJobTypeRead,
    TaskFunctionListResponse,
    TaskFunctionQuery,
    TaskFunctionRead,
    describe_function,
)
from sundial_kube.resources import TASK_FUNCTIONS

router = APIRouter(tags=["task functions"])


@router.get("/task-functions", responses=document_page())
async def list_task_functions(
    response: Response,
    services: AppServices,
    caller: CurrentCaller,
    query: Annotated[TaskFunctionQuery, Query()],
) -> TaskFunctionListResponse:
    """List what can be run, by name."""
    reach = await caller.find_reach(TASK_FUNCTIONS, query.namespace)
    wanted = FunctionFilter(query.is_active, reach.namespaces, query.q)
    chosen = choose_fields(TaskFunctionRead, query.fields)
    async with services.engine.begin() as connection:
        total = await repository.count_functions(connection, wanted)
        rows = await repository.list_functions(connection, wanted, query.wanted, chosen.columns)
    describe_page(response, query.wanted, total)
    functions = [describe_function(row, services.settings.namespace, chosen) for row in rows]
    answer = TaskFunctionListResponse.model_construct(
        task_functions=functions, total=total, is_complete=reach.is_complete
    )
    return chosen.answer_list(answer, response)


@router.get("/job-types")
async def list_job_types(services: AppServices) -> list[SchedulerJobTypeRead]:
    """List the kinds of schedules."""
    async with services.engine.begin() as connection:
        rows = await repository.list_job_types(connection)
    return [SchedulerJobTypeRead.model_validate(row) for row in rows]
