"""What requests and answers about jobs look like; the limits hold for what is written, never for answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, TypeAdapter
from pydantic.fields import FieldInfo

from sundial_api.executions.schemas import ScheduledJobExecutionRead
from sundial_api.http.job_fields import JOB_FIELDS
from sundial_api.http.paging import CursorQuery, NamespaceName
from sundial_api.http.wire import (
    PLAIN,
    FreeJson,
    Instant,
    Text,
    WireModel,
    WireRequest,
)
from sundial_api.task_functions.schemas import SchedulerJobTypeRead, TaskFunctionRead

Name = Annotated[Text, Field(min_length=2, max_length=200)]
Description = Annotated[Text, Field(max_length=1000)]
ZoneName = Annotated[Text, Field(max_length=64)]
FunctionId = Annotated[int, Field(ge=0, le=2**31 - 1)]
TypeId = Annotated[int, Field(ge=1, le=3)]
"""1 interval, 2 cron, 3 once."""
MaxInstances = Annotated[int, Field(ge=1, le=10)]
TimeoutSeconds = Annotated[int, Field(ge=30, le=3600)]
RetryCount = Annotated[int, Field(ge=0, le=10)]
RetryDelaySeconds = Annotated[int, Field(ge=0, le=3600)]
Namespace = Annotated[str, Field(max_length=63, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]


class JobQuery(CursorQuery):
    """Which jobs are wanted."""

    name: str | None = Field(
        None, max_length=253, pattern=PLAIN, description="A part of the name, in any case."
    )
    is_enabled: bool | None = Field(None, description="Only enabled jobs, or only the others.")
    task_function_id: FunctionId | None = Field(None, description="Only jobs of this task function.")
    namespace: NamespaceName = None


class ScheduledJobCreate(WireRequest):
    """A job to be made."""

    name: Name
    description: Description | None = None
    task_function_id: FunctionId
    job_type_id: TypeId
    schedule_config: FreeJson = Field(default_factory=dict)
    """interval, cron or once, by jobTypeId: `{"hours": 1}`, `{"hour": 9, "day_of_week": "mon-fri"}`,
    `{"expression": "0 9 * * 1-5"}` or `{"at": "2026-12-01T08:00:00Z"}`."""
    task_args: FreeJson | None = None
    max_instances: MaxInstances = 1
    timeout_seconds: TimeoutSeconds = 300
    retry_count: RetryCount = 3
    retry_delay_seconds: RetryDelaySeconds = 60
    is_enabled: bool = True
    time_zone: ZoneName | None = None
    """The IANA zone in which cron is read; the installation's when left out."""
    namespace: Namespace | None = None
    """Only the task function's; the same when left out."""


class ScheduledJobUpdate(WireRequest):
    """What is to be changed of a job: any part of it.

    The limits of a new job hold for the values that differ from the stored ones.
    """

    name: Text | None = None
    description: Text | None = None
    task_function_id: FunctionId | None = None
    job_type_id: TypeId | None = None
    schedule_config: FreeJson | None = None
    task_args: FreeJson | None = None
    max_instances: int | None = None
    timeout_seconds: int | None = None
    retry_count: int | None = None
    retry_delay_seconds: int | None = None
    is_enabled: bool | None = None
    time_zone: Text | None = None
    namespace: Namespace | None = None


def build_check(field: FieldInfo) -> TypeAdapter[Any]:
    """Build what checks one value as a model's field would."""
    checked: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(checked)


LIMITS: Mapping[str, TypeAdapter[Any]] = {
    name: build_check(field) for name, field in ScheduledJobCreate.model_fields.items() if name in JOB_FIELDS
}
"""The limits of a new job, by field, for values that an edit changes."""


class ScheduledJobToggle(WireRequest):
    """Whether a job is to be enabled."""

    is_enabled: bool


class ScheduledJobRead(WireModel):
    """A job."""

    id: UUID
    name: str
    description: str | None = None
    task_function_id: int
    job_type_id: int
    schedule_config: dict[str, Any]
    task_args: dict[str, Any] | None = None
    max_instances: int
    timeout_seconds: int
    retry_count: int
    retry_delay_seconds: int
    is_enabled: bool
    """Neither suspended nor paused."""
    is_paused: bool
    """A pause is in effect."""
    next_run_time: Instant | None = None
    last_run_time: Instant | None = None
    last_status: str | None = None
    """success, failed, running, or none before the first run."""
    created_at: Instant
    updated_at: Instant
    created_by: UUID | None = None
    updated_by: UUID | None = None
    namespace: str
    resource_name: str
    time_zone: str
    schedule_text: str | None = None
    """The schedule in words."""
    is_ready: bool | None = None
    """Whether the operator has accepted the job; none until it has seen it."""
    ready_reason: str | None = None
    ready_message: str | None = None
    concurrency_policy: str
    active_count: int
    queued_count: int
    consecutive_failures: int


class ScheduledJobDetail(ScheduledJobRead):
    """A job with what belongs to it."""

    task_function: TaskFunctionRead
    job_type: SchedulerJobTypeRead
    recent_executions: list[ScheduledJobExecutionRead]


class ScheduledJobListResponse(WireModel):
    """A page of jobs; the counts are over all jobs."""

    jobs: list[ScheduledJobRead]
    total: int
    enabled_count: int
    disabled_count: int
    running_count: int
    next_cursor: str | None = None


class ScheduledJobTriggered(WireModel):
    """A run that was asked for."""

    job_id: UUID
    execution_id: UUID
    celery_task_id: str | None = None
    message: str
    execution: ScheduledJobExecutionRead
    job: ScheduledJobRead
