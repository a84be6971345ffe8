"""GET /status."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from sundial_api.db.fetch import Row
from sundial_api.deps import AppServices, CurrentCaller
from sundial_api.jobs import repository as jobs
from sundial_api.jobs.repository import JobFilter
from sundial_api.jobs.schemas import ScheduledJobRead
from sundial_api.status import repository
from sundial_api.status.schemas import (
    FenceRead,
    HoldRead,
    SchedulerInstanceRead,
    SchedulerStatusResponse,
    StatusQuery,
)
from sundial_core.coordination.fence import FenceState
from sundial_kube.resources import SCHEDULED_JOBS

THERE = (FenceState.OK, FenceState.BROKEN)
"""What the fence is when there is one."""

router = APIRouter(tags=["status"])


@router.get("/status")
async def get_status(
    services: AppServices,
    caller: CurrentCaller,
    query: Annotated[StatusQuery, Query()],
) -> SchedulerStatusResponse:
    """Tell how the installation stands."""
    reach = await caller.find_reach(SCHEDULED_JOBS, query.namespace)
    since = services.read_clock() - timedelta(seconds=services.settings.instance_seconds)
    async with services.engine.begin() as connection:
        found = await repository.list_instances(connection, since)
        counts = await jobs.count_jobs(connection, JobFilter(namespaces=reach.namespaces))
        following = await jobs.find_next(connection, reach.namespaces)
    instances = [SchedulerInstanceRead.model_validate(row) for row in found]
    leader = next((instance for instance in instances if instance.is_leader), None)
    leading = next((row for row in found if row["is_leader"] and row["term"] is not None), None)
    return SchedulerStatusResponse(
        is_running=leader is not None,
        leader_instance=leader,
        total_jobs=counts.enabled + counts.disabled,
        enabled_jobs=counts.enabled,
        running_jobs=counts.running,
        next_scheduled_job=ScheduledJobRead.model_validate(following) if following else None,
        instances=instances,
        hold=describe_hold(leading) if leading else None,
        fence=describe_fence(leading) if leading else None,
        mirrored_until=services.mirrored.instant,
        authorship=services.signatures.authorship,
        is_complete=reach.is_complete,
    )


def describe_hold(leader: Row) -> HoldRead:
    """Describe what holds all starts, by the row of a leader that tells its term."""
    by, until = leader["held_by"], leader["held_until"]
    return HoldRead(is_held=by is not None, held_by=by, held_until=until if by is not None else None)


def describe_fence(leader: Row) -> FenceRead:
    """Describe the fence, by the row of a leader that tells its term."""
    state = leader["fence"] or FenceState.UNKNOWN
    is_installed = None if state not in (*THERE, FenceState.ABSENT) else state in THERE
    return FenceRead(state=state, is_installed=is_installed, term=leader["term"])
