"""GET /status."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.jobs import repository as jobs
from sundial_api.jobs.schemas import ScheduledJobRead
from sundial_api.status import repository
from sundial_api.status.schemas import SchedulerInstanceRead, SchedulerStatusResponse, StatusQuery
from sundial_kube.resources import SCHEDULED_JOBS

router = APIRouter(tags=["status"])


@router.get("/status")
async def get_status(
    services: AppServices,
    caller: CurrentCaller,
    query: Annotated[StatusQuery, Query()],
) -> SchedulerStatusResponse:
    """Tell how the installation stands."""
    await caller.require("list", SCHEDULED_JOBS, query.namespace)
    since = services.read_clock() - timedelta(seconds=services.settings.instance_seconds)
    async with services.engine.begin() as connection:
        found = await repository.list_instances(connection, since)
        counts = await jobs.count_jobs(connection, query.namespace)
        following = await jobs.find_next(connection, query.namespace)
    instances = [SchedulerInstanceRead.model_validate(row) for row in found]
    leader = next((instance for instance in instances if instance.is_leader), None)
    return SchedulerStatusResponse(
        is_running=leader is not None,
        leader_instance=leader,
        total_jobs=counts.enabled + counts.disabled,
        enabled_jobs=counts.enabled,
        running_jobs=counts.running,
        next_scheduled_job=ScheduledJobRead.model_validate(following) if following else None,
        instances=instances,
        authorship=services.signatures.authorship,
    )
