"""What the answer about the installation looks like."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel

from sundial_api.http.paging import NamespaceName
from sundial_api.http.wire import Instant, WireModel
from sundial_api.jobs.schemas import ScheduledJobRead


class StatusQuery(BaseModel):
    """Of which jobs the status is wanted."""

    namespace: NamespaceName = None


class SchedulerInstanceRead(WireModel):
    """A replica of the operator."""

    id: UUID
    hostname: str
    pid: int
    is_leader: bool
    leader_since: Instant | None = None
    last_heartbeat: Instant
    started_at: Instant
    version: str


class SchedulerStatusResponse(WireModel):
    """How the installation stands."""

    is_running: bool
    """Whether a replica leads and was heard of lately."""
    leader_instance: SchedulerInstanceRead | None = None
    total_jobs: int
    enabled_jobs: int
    running_jobs: int
    next_scheduled_job: ScheduledJobRead | None = None
    instances: list[SchedulerInstanceRead]
    authorship: str
    """Whether createdBy, updatedBy and triggeredByUserId are known, or only claimed, as nothing keeps others
    from writing them."""
