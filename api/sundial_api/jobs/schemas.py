"""What requests and answers about jobs look like; the limits hold for what is written, never for answers."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, field_serializer
from pydantic.fields import FieldInfo

from sundial_api.executions.schemas import RecentExecutionRead, ScheduledJobExecutionRead
from sundial_api.http.invalid_values import KUBERNETES_NAME, PLAIN, UnfitValue
from sundial_api.http.job_fields import JOB_FIELDS
from sundial_api.http.languages import Shown, current_language
from sundial_api.http.paging import CursorQuery, NamespaceName
from sundial_api.http.wire import (
    WHOLE,
    Flag,
    FreeJson,
    Instant,
    ShownJson,
    Text,
    WholeNumber,
    WireModel,
    WireRequest,
)
from sundial_api.jobs.orders import MAX_CURSOR_CHARS, JobSort
from sundial_api.jobs.wording import WordedSchedule, show_ready, show_schedule
from sundial_api.task_functions.schemas import SchedulerJobTypeRead, TaskFunctionRead
from sundial_clock.sentences import Language, say


def check_name(name: str) -> str:
    """Check that a name can be read in one line; raises ValueError."""
    if not name.strip():
        raise UnfitValue(say("has nothing but blanks; write a name"))
    if any(unicodedata.category(character) in NO_NAME for character in name):
        raise UnfitValue(say("has a line feed or another control character; write the name in one line"))
    if any(character in TURNING for character in name):
        raise UnfitValue(say("has a character that turns the text around it; leave it out"))
    return name


NO_NAME = ("Cc", "Zl", "Zp")
"""Unicode's categories of control characters, and of what ends lines."""
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Embeddings, overrides and isolates: Arabic needs none, and what is shown beside it would be turned too."""
Name = Annotated[Text, Field(min_length=2, max_length=200), AfterValidator(check_name)]
Description = Annotated[Text, Field(max_length=1000)]
ZoneName = Annotated[Text, Field(max_length=64)]
FunctionId = Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE]
TypeId = Annotated[int, Field(ge=1, le=3), WHOLE]
"""1 interval, 2 cron, 3 once."""
MaxInstances = Annotated[int, Field(ge=1, le=10), WHOLE]
TimeoutSeconds = Annotated[int, Field(ge=30, le=3600), WHOLE]
RetryCount = Annotated[int, Field(ge=0, le=10), WHOLE]
RetryDelaySeconds = Annotated[int, Field(ge=0, le=3600), WHOLE]
Namespace = Annotated[str, Field(max_length=63, pattern=KUBERNETES_NAME)]


class JobInclude(StrEnum):
    """What an answer about jobs has more when it is asked for."""

    RECENT = "recent"


class IncludeQuery(BaseModel):
    """What an answer is to have besides."""

    include: list[JobInclude] = Field(
        default_factory=list, max_length=10, description="recent: the 30 newest results of each job."
    )


class LastStatus(StrEnum):
    """How the newest run of a job stands."""

    SUCCESS = "success"
    FAILED = "failed"
    RUNNING = "running"


class JobQuery(CursorQuery, IncludeQuery):
    """Which jobs are wanted."""

    name: str | None = Field(
        None, max_length=253, pattern=PLAIN, description="A part of the name, in any case."
    )
    is_enabled: bool | None = Field(None, description="Only enabled jobs, or only the others.")
    task_function_id: FunctionId | None = Field(None, description="Only jobs of this task function.")
    last_status: LastStatus | None = Field(None, description="Only jobs whose newest run stands so.")
    failing: bool | None = Field(
        None, description="Only jobs that failed since their last success, or only the others."
    )
    late: bool | None = Field(None, description="Only jobs that are late, or only the others.")
    paused: bool | None = Field(None, description="Only jobs with a pause in effect, or only the others.")
    namespace: NamespaceName = None
    sort: JobSort = Field(
        JobSort.NEWEST,
        description="The order: newest first, what runs next first, by name, what ran last first, or"
        " failing first (most failures in a row first).",
    )
    cursor: str | None = Field(
        None,
        max_length=MAX_CURSOR_CHARS,
        description="`nextCursor` of the page before, with the same `sort`; then `page` is ignored.",
    )


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
    is_enabled: Flag = True
    time_zone: ZoneName | None = None
    """The IANA zone in which cron is read; the installation's when left out."""
    namespace: Namespace | None = None
    """Only the task function's; the same when left out."""


class ScheduledJobUpdate(WireRequest):
    """What is to be changed of a job: any part of it.

    The limits of a new job hold for the values that differ from those that are shown.
    """

    name: Text | None = None
    description: Text | None = None
    task_function_id: FunctionId | None = None
    job_type_id: TypeId | None = None
    schedule_config: FreeJson | None = None
    task_args: ShownJson | None = None
    max_instances: WholeNumber | None = None
    timeout_seconds: WholeNumber | None = None
    retry_count: WholeNumber | None = None
    retry_delay_seconds: WholeNumber | None = None
    is_enabled: Flag | None = None
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

    is_enabled: Flag


class ManagedBy(WireModel):
    """The tool that looks after a job."""

    tool: str
    """Argo CD, Flux or Helm."""
    name: str | None = None
    """The application, Kustomization or release, as the marks of the job claim."""


IN_WORDS = {
    "schedule_text": (
        *("schedule_text", "schedule_config", "job_type_id"),
        *("time_zone", "namespace", "resource_name"),
    ),
    "ready_message": ("ready_message", "ready_reason"),
}
"""What is said anew in another language, each with what that depends on."""


class ScheduledJobRead(WireModel):
    """A job."""

    DERIVED: ClassVar[Mapping[str, tuple[str, ...]]] = {"recent": ("id",), **IN_WORDS}

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
    paused_until: Instant | None = None
    """When that pause ends by itself, if it does."""
    pause_reason: str | None = None
    """Why it is paused, as somebody wrote it beside the pause."""
    is_late: bool
    """Enabled, and the next run time is more than a minute ago."""
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
    managed_by: ManagedBy | None = None
    """The GitOps tool that looks after the job, so that its spec cannot be edited here."""
    recent: list[RecentExecutionRead] | None = Field(None, exclude_if=lambda found: found is None)
    """With `include=recent`: the 30 newest results, newest first."""

    @field_serializer("schedule_text")
    def show_schedule_text(self, text: str | None) -> str | None:
        """Say the schedule in the caller's language."""
        language = current_language()
        if text is None or language is Language.ENGLISH:
            return text
        name = f"{self.namespace}/{self.resource_name}"
        stored = WordedSchedule.of(self.job_type_id, self.schedule_config, self.time_zone, name, text)
        return show_schedule(stored, language)

    @field_serializer("ready_message")
    def show_ready_message(self, message: str | None) -> str | None:
        """Say whether the job is accepted in the caller's language."""
        return show_ready(self.ready_reason, message, current_language())


class ScheduledJobDetail(ScheduledJobRead):
    """A job with what belongs to it."""

    DERIVED: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "task_function": ("task_function_id",),
        "job_type": ("job_type_id",),
        "recent_executions": ("id",),
        "recent": ("id",),
        **IN_WORDS,
    }
    task_function: TaskFunctionRead
    job_type: SchedulerJobTypeRead
    recent_executions: list[ScheduledJobExecutionRead]


class LastStatusCounts(WireModel):
    """How many jobs there are by how their newest run stands."""

    success: int
    failed: int
    running: int


class ScheduledJobListResponse(WireModel):
    """A page of jobs; the counts are over all jobs of the namespaces, whatever the filters."""

    jobs: list[ScheduledJobRead]
    total: int
    enabled_count: int
    disabled_count: int
    running_count: int
    failing_count: int
    late_count: int
    paused_count: int
    last_status_counts: LastStatusCounts
    next_cursor: str | None = None
    is_complete: bool = True
    """False while it is still being found which namespaces the caller may list: ask again in a moment."""


class ScheduledJobTriggered(WireModel):
    """A run that was asked for."""

    job_id: UUID
    execution_id: UUID
    celery_task_id: str | None = None
    message: Shown
    execution: ScheduledJobExecutionRead | None
    """None for a caller who may not read the job."""
    job: ScheduledJobRead | None
    """None for a caller who may not read it."""
