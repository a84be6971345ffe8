"""What answers about executions look like."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, Field, ValidationInfo, model_validator

from sundial_api.http.invalid_values import KUBERNETES_NAME
from sundial_api.http.paging import CursorQuery, NamespaceName
from sundial_api.http.wire import Instant, WireModel
from sundial_api.signatures import Authorship
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
    authorship: str | None = None
    """Whether requestedBy and triggeredByUserId are known or only claimed; null where nobody is named."""

    DERIVED: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "authorship": ("authorship", "requested_by", "triggered_by_user_id")
    }

    @model_validator(mode="after")
    def judge_authorship(self, info: ValidationInfo) -> Self:
        """Judge who asked."""
        self.derive(info.context)
        return self

    def derive(self, context: object) -> None:
        """Judge who asked: known where the API signed the request, and nothing else could have.

        The context is the authorship of the installation; without it all is claimed, as is what was imported.
        """
        is_named = self.requested_by is not None or self.triggered_by_user_id is not None
        if self.authorship is None and is_named:
            is_known = self.triggered_by_user_id is not None and context == Authorship.KNOWN
            self.authorship = (Authorship.KNOWN if is_known else Authorship.CLAIMED).value


class RecentExecutionRead(WireModel):
    """A run as far as a strip of results shows it."""

    id: UUID
    status: str
    started_at: Instant
    duration_seconds: float | None = None
    triggered_by: str


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
    truncated: list[str] = Field(default_factory=list)
    """Paths of what its message had no room for, such as `result.ids`."""

    @model_validator(mode="before")
    @classmethod
    def parse_parts(cls, stored: JsonObject) -> JsonObject:
        """Read an attempt as the mirror stores it: its number, its Job and its Pod."""
        job, pod = stored["job"] or {}, stored["pod"] or {}
        tellers = (job, pod) if job.get("has_own_reason", True) else (pod, job)
        return {
            "attempt": stored["attempt"],
            "phase": job.get("phase"),
            "reason": next((part["reason"] for part in tellers if part.get("reason")), None),
            "message": pod.get("error")
            or next((part["message"] for part in tellers if part.get("message")), None),
            "started_at": job.get("created_at"),
            "completed_at": job.get("completed_at") or pod.get("completed_at"),
            "job_name": job.get("name"),
            "pod_name": pod.get("name"),
            "pod_started_at": pod.get("started_at"),
            "node": pod.get("node"),
            "exit_code": pod.get("exit_code"),
            "truncated": pod.get("truncated") or [],
        }


class ScheduledJobExecutionDetail(ScheduledJobExecutionRead):
    """A run with all that is known of it."""

    DERIVED: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **ScheduledJobExecutionRead.DERIVED,
        "result": ("result", "attempts"),
        "is_result_cut": ("result", "attempts"),
    }

    error_traceback: str | None = None
    scheduler_instance_id: UUID | None = None
    job_name: str | None = None
    pod_name: str | None = None
    node: str | None = None
    exit_code: int | None = None
    request_reason: str | None = None
    is_result_cut: bool = False
    """There was more of the result than is known."""
    attempts: list[AttemptRead]
    """Each attempt with its own times, oldest first."""


class LogQuery(BaseModel):
    """Which part of the log of an execution is wanted."""

    attempt: int | None = Field(None, ge=1, le=1000, description="Of which attempt; else the newest.")
    container: str | None = Field(
        None, max_length=63, pattern=KUBERNETES_NAME, description="Of which container; else the first."
    )
    lines: int = Field(200, ge=1, le=1000, description="How many of the last lines.")


class ExecutionLog(WireModel):
    """The end of what a container of a run wrote."""

    execution_id: UUID
    attempt: int
    pod_name: str
    container: str
    containers: list[str]
    """All that can be asked for, init containers last."""
    text: str
    """The last lines, without control characters."""
    is_cut: bool
    """There is more than fits: fewer lines, or only the end of them."""
    is_stored: bool
    """Whether it is what is kept of the log, redacted; else the Pod was read just now."""


class ScheduledJobExecutionListResponse(WireModel):
    """A page of executions, newest first."""

    executions: list[ScheduledJobExecutionRead]
    total: int
    next_cursor: str | None = None
    """Where this page ended, for `cursor`; none on the last page."""
    is_complete: bool = True
    """False while it is still being found which namespaces the caller may list: ask again in a moment."""


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
