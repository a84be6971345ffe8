"""What answers about executions look like."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field, model_validator

from sundial_api.http.paging import CursorQuery, NamespaceName
from sundial_api.http.wire import Instant, WireModel
from sundial_core.resources.raw import JsonObject


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


class AttemptRead(WireModel):
    """One attempt of a run, as its Job and its Pod told of it; either may be unknown."""

    attempt: int
    phase: str | None = None
    reason: str | None = None
    message: str | None = None
    started_at: Instant | None = None
    """When its Job was created."""
    completed_at: Instant | None = None
    job_name: str | None = None
    pod_name: str | None = None
    pod_started_at: Instant | None = None
    node: str | None = None
    exit_code: int | None = None

    @model_validator(mode="before")
    @classmethod
    def parse_parts(cls, stored: JsonObject) -> JsonObject:
        """Read an attempt as the mirror stores it: its number, its Job and its Pod."""
        job, pod = stored["job"] or {}, stored["pod"] or {}
        return {
            "attempt": stored["attempt"],
            "phase": job.get("phase"),
            "reason": job.get("reason") or pod.get("reason") or None,
            "message": pod.get("error") or job.get("message") or pod.get("message") or None,
            "started_at": job.get("created_at"),
            "completed_at": job.get("completed_at") or pod.get("completed_at"),
            "job_name": job.get("name"),
            "pod_name": pod.get("name"),
            "pod_started_at": pod.get("started_at"),
            "node": pod.get("node"),
            "exit_code": pod.get("exit_code"),
        }


class ScheduledJobExecutionDetail(ScheduledJobExecutionRead):
    """A run with all that is known of it."""

    error_traceback: str | None = None
    scheduler_instance_id: UUID | None = None
    job_name: str | None = None
    pod_name: str | None = None
    node: str | None = None
    exit_code: int | None = None
    request_reason: str | None = None
    attempts: list[AttemptRead]
    """Each attempt with its own times, oldest first."""


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
