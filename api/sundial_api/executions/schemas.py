"""What answers about executions look like."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from sundial_api.paging import CursorQuery, NamespaceName
from sundial_api.wire import Instant, WireModel


class ExecutionStatus(StrEnum):
    """Where an execution stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"


class JobExecutionQuery(CursorQuery):
    """Which executions of a job are wanted."""

    per_page: int = Field(50, ge=1, le=100, description="How many rows a page has.")
    status: ExecutionStatus | None = Field(None, description="Only those in this state.")


class ExecutionQuery(JobExecutionQuery):
    """Which executions are wanted."""

    job_id: UUID | None = Field(None, description="Only those of this job, deleted ones included.")
    namespace: NamespaceName = None


class ScheduledJobExecutionRead(WireModel):
    """A run and what became of it."""

    id: UUID
    job_id: UUID
    celery_task_id: str | None = None
    status: str
    """pending, running, success, failed or timeout."""
    started_at: Instant
    completed_at: Instant | None = None
    duration_seconds: float | None = None
    result: dict[str, Any] | None = None
    error_message: str | None = None
    triggered_by: str
    """scheduler, manual or api."""
    triggered_by_user_id: UUID | None = None
    namespace: str
    phase: str
    """The state in the cluster's words, such as Waiting between two attempts."""
    reason: str | None = None
    scheduled_for: Instant | None = None
    attempt: int
    requested_by: str | None = None


class ScheduledJobExecutionDetail(ScheduledJobExecutionRead):
    """A run with all that is known of it."""

    error_traceback: str | None = None
    scheduler_instance_id: UUID | None = None
    job_name: str | None = None
    pod_name: str | None = None
    node: str | None = None
    exit_code: int | None = None
    request_reason: str | None = None
    attempts: list[dict[str, Any]]
    """Each attempt with its own times, Job, Pod, node, exit code and reason."""


class ScheduledJobExecutionListResponse(WireModel):
    """A page of executions, newest first."""

    executions: list[ScheduledJobExecutionRead]
    total: int
    next_cursor: str | None = None
    """Where this page ended, for `cursor`; none on the last page."""


class SlotRead(WireModel):
    """Slots in a row that started no run, with the one verdict that they share."""

    first_slot: Instant
    last_slot: Instant
    count: int
    verdict: str
    """Skipped, Missed or NotMirrored."""
    reason: str
    message: str | None = None


class SlotListResponse(WireModel):
    """A page of slots, newest first."""

    slots: list[SlotRead]
    total: int
