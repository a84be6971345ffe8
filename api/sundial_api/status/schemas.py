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


class HoldRead(WireModel):
    """Whether all starts are held, as the leader says: nothing starts, and slots are missed meanwhile."""

    is_held: bool
    held_by: str | None = None
    """What holds them, for people: a setting, a ConfigMap, or a clock that is not trusted."""
    held_until: str | None = None
    """What ends it, for people: no hold ends at an instant by itself."""


class FenceRead(WireModel):
    """The policy that refuses Jobs of a leader that was superseded, as the leader finds it."""

    state: str
    """ok, absent, broken (it refuses the leader too) or unknown."""
    is_installed: bool | None
    term: int
    """The term in which the leader leads."""


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
    hold: HoldRead | None = None
    """None while nobody leads, or the leader is of a release that does not tell."""
    fence: FenceRead | None = None
    """None while nobody leads, or the leader is of a release that does not tell."""
    mirrored_until: Instant | None = None
    """Up to when all that the cluster had is known here; none until something was mirrored."""
    authorship: str
    """Whether createdBy, updatedBy and triggeredByUserId are known, or only claimed, as nothing keeps others
    from writing them."""
    is_complete: bool = True
    """False while it is still being found which namespaces the caller may list: ask again in a moment."""
