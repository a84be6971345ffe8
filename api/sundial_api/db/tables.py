"""What does the database know of jobs, functions, executions, slots and operators? Rows of the mirror.

No foreign keys join them: a watch brings objects in any order, and references may dangle. A row is written
only when (epoch, resource_version) rises; `deleted_at` is its tombstone. What the mirror keeps for itself is
in mirror_tables.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    Double,
    Index,
    SmallInteger,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sundial_api.db.columns import (
    Base,
    Epoch,
    Key,
    LongText,
    Namespace,
    No,
    Number,
    OpenEndedInstant,
    ResourceName,
    Text253,
    Text1000,
    Version,
    Word,
    Yes,
)

LIVE = text("deleted_at IS NULL")
COUNTED = (
    "suspended",
    "paused_until",
    "next_run_time",
    "last_status",
    "consecutive_failures",
    "active_count",
)
"""What jobs are counted by, kept beside their namespaces: counting then reads no rows."""
INLINE_FUNCTION = 1
"""The id of the function that jobs with a template of their own show."""


class TaskFunctionRow(Base):
    """A TaskFunction; `id` is that of its namespace and name, so one that is made again is the same row."""

    __tablename__ = "task_functions"
    __table_args__ = (
        CheckConstraint("handler_type IN ('celery_task', 'async_function', 'container')", "handler_type"),
        Index("ix_task_functions_name", "name"),
        Index("ix_task_functions_is_active", "is_active"),
        Index("uq_task_functions_live", "namespace", "resource_name", unique=True, postgresql_where=LIVE),
    )

    id: Mapped[Number]
    namespace: Mapped[Namespace]
    resource_name: Mapped[ResourceName]
    uid: Mapped[UUID | None]
    name: Mapped[Text253]
    """spec.name, else the resource's name. Not unique: nothing in the cluster keeps two from being equal."""
    display_name: Mapped[Text253]
    description: Mapped[Text1000 | None]
    handler_path: Mapped[str] = mapped_column(String(512))
    handler_type: Mapped[Word]
    queue: Mapped[str | None] = mapped_column(String(255))
    default_timeout_seconds: Mapped[int] = mapped_column(server_default="300")
    parameters_schema: Mapped[dict[str, Any] | None]
    is_active: Mapped[Yes]
    is_system: Mapped[No]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    generation: Mapped[int] = mapped_column(BigInteger, server_default="0")
    resource_version: Mapped[Version]
    epoch: Mapped[Epoch]
    deleted_at: Mapped[datetime | None]


class SchedulerJobType(Base):
    """A kind of schedule: 1 interval, 2 cron, 3 once. The migrations fill it."""

    __tablename__ = "scheduler_job_types"
    __table_args__ = (Index("uq_scheduler_job_types_name", "name", unique=True),)

    id: Mapped[Number]
    name: Mapped[str] = mapped_column(String(50))
    display_name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(String(500))
    is_active: Mapped[Yes]


class ScheduledJobRow(Base):
    """A ScheduledJob; `id` is its UID.

    `is_enabled` and `is_paused` are what the object says without regard to time: a pause that has run out
    still shows. Answers compute both from `suspended`, `paused_until` and the clock.
    """

    __tablename__ = "scheduled_jobs"
    __table_args__ = (
        CheckConstraint("last_status IN ('success', 'failed', 'running')", "last_status"),
        Index("ix_scheduled_jobs_is_enabled", "is_enabled"),
        Index("ix_scheduled_jobs_next_run_time", "next_run_time"),
        Index("ix_scheduled_jobs_task_function_id", "task_function_id"),
        Index(
            "ix_scheduled_jobs_live_newest", text("created_at DESC"), text("id DESC"), postgresql_where=LIVE
        ),
        Index(
            "ix_scheduled_jobs_live_next_run",
            text("coalesce(next_run_time, 'infinity'::timestamptz)"),
            "id",
            postgresql_where=LIVE,
        ),
        Index("ix_scheduled_jobs_live_name", text("lower(name)"), "id", postgresql_where=LIVE),
        Index(
            "ix_scheduled_jobs_live_last_run",
            text("coalesce(last_run_time, '-infinity'::timestamptz) DESC"),
            text("id DESC"),
            postgresql_where=LIVE,
        ),
        Index(
            "ix_scheduled_jobs_live_failing",
            text("consecutive_failures DESC"),
            text("created_at DESC"),
            text("id DESC"),
            postgresql_where=LIVE,
        ),
        Index(
            "ix_scheduled_jobs_live_namespace",
            "namespace",
            text("created_at DESC"),
            text("id DESC"),
            postgresql_include=COUNTED,
            postgresql_where=LIVE,
        ),
        Index(
            "ix_scheduled_jobs_gone_namespace", "namespace", postgresql_where=text("deleted_at IS NOT NULL")
        ),
        Index("ix_scheduled_jobs_has_gap", "id", postgresql_where=text("has_gap")),
        Index("uq_scheduled_jobs_live", "namespace", "resource_name", unique=True, postgresql_where=LIVE),
        Index("ix_scheduled_jobs_change", "change"),
    )

    id: Mapped[Key]
    namespace: Mapped[Namespace]
    resource_name: Mapped[ResourceName]
    name: Mapped[Text253]
    description: Mapped[Text1000 | None]
    task_function_id: Mapped[int]
    job_type_id: Mapped[int]
    schedule_config: Mapped[dict[str, Any]]
    time_zone: Mapped[str] = mapped_column(String(64), server_default="UTC")
    schedule: Mapped[dict[str, Any] | None]
    """spec.schedule as it is written; none in a row of before that has not changed since."""
    schedule_text: Mapped[LongText | None]
    task_args: Mapped[dict[str, Any] | None]
    concurrency_policy: Mapped[Word] = mapped_column(server_default="Forbid")
    max_instances: Mapped[int] = mapped_column(server_default="1")
    max_queued: Mapped[int] = mapped_column(server_default="1")
    timeout_seconds: Mapped[int] = mapped_column(server_default="300")
    retry_count: Mapped[int] = mapped_column(server_default="3")
    retry_delay_seconds: Mapped[int] = mapped_column(server_default="60")

    suspended: Mapped[No]
    paused_until: Mapped[datetime | None] = mapped_column(OpenEndedInstant)
    """When the pause ends, OPEN_ENDED for one without an end; may have passed."""
    pause_reason: Mapped[str | None] = mapped_column(String(300))
    managed_by: Mapped[dict[str, Any] | None]
    """The GitOps tool that its marks name, and which application of it: `{tool, name}`."""
    is_enabled: Mapped[bool] = mapped_column(
        Computed("NOT suspended AND paused_until IS NULL", persisted=True)
    )
    is_paused: Mapped[bool] = mapped_column(Computed("paused_until IS NOT NULL", persisted=True))
    is_ready: Mapped[bool | None]
    """The condition Ready with its reason and message; none until the operator has seen the object."""
    ready_reason: Mapped[Text253 | None]
    ready_message: Mapped[LongText | None]

    next_run_time: Mapped[datetime | None]
    last_run_time: Mapped[datetime | None]
    last_status: Mapped[Word | None]
    consecutive_failures: Mapped[int] = mapped_column(BigInteger, server_default="0")
    active_count: Mapped[int] = mapped_column(BigInteger, server_default="0")
    queued_count: Mapped[int] = mapped_column(BigInteger, server_default="0")
    started_slots: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Verdicts since the object was made, as its status counts them; likewise skipped and missed."""
    skipped_slots: Mapped[int] = mapped_column(BigInteger, server_default="0")
    missed_slots: Mapped[int] = mapped_column(BigInteger, server_default="0")

    created_by: Mapped[UUID | None]
    updated_by: Mapped[UUID | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    etag: Mapped[str] = mapped_column(String(64), server_default="")
    generation: Mapped[int] = mapped_column(BigInteger, server_default="0")
    resource_version: Mapped[Version]
    epoch: Mapped[Epoch]
    deleted_at: Mapped[datetime | None]
    history_floor: Mapped[datetime | None]
    """Retention deleted what started, or was due, at or before it: the mirror makes no such row again."""

    own_timeout_seconds: Mapped[int | None]
    """What spec.timeoutSeconds says; without it the function's default is in `timeout_seconds`."""
    cursor: Mapped[datetime | None]
    active_runs: Mapped[list[str]] = mapped_column(JSONB, server_default="[]")
    """Ids of the runs in status.active; with the cursor it tells which runs have ended."""
    active_omitted: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What status.activeOmitted says: between which slots the runs are that status.active does not list."""
    recent_slots: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    """What status.recentSlots told when it was mirrored last: what is new in it is found by that."""
    covered_until: Mapped[datetime | None]
    """All verdicts up to here are rows; `covered_slots` counts them. With a gap, up to before it."""
    covered_slots: Mapped[int] = mapped_column(BigInteger, server_default="0")
    has_gap: Mapped[No]
    gap_version: Mapped[Version]
    """The resourceVersion at which the status told of slots that do not follow those told before."""
    out_of_order: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)), server_default="{}")
    """Where the cursor is wrong: slots before it that wait, and slots after it that have a verdict."""
    covered_out_of_order: Mapped[list[datetime]] = mapped_column(
        ARRAY(DateTime(timezone=True)), server_default="{}"
    )
    """The same when all verdicts up to `covered_until` were rows."""
    covered_tail_from: Mapped[datetime | None]
    """Where the newest row of slots without a run began then, it may have grown since; below, its count."""
    covered_tail_count: Mapped[int] = mapped_column(BigInteger, server_default="0")
    change: Mapped[int | None] = mapped_column(BigInteger)
    """The number of the newest change, higher than that of all committed before; a trigger gives it."""
    projection: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """How much of the object the release that wrote the row has read."""


class ScheduledJobExecution(Base):
    """A run; `id` is the run's. Job, Pod, node and exit code are those of the newest attempt."""

    __tablename__ = "scheduled_job_executions"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'running', 'success', 'failed', 'timeout')", "status"),
        CheckConstraint(
            "status NOT IN ('pending', 'running') OR completed_at IS NULL", "open_is_not_completed"
        ),
        CheckConstraint("triggered_by IN ('scheduler', 'manual', 'api')", "triggered_by"),
        Index("ix_scheduled_job_executions_job_id", "job_id", text("started_at DESC"), text("id DESC")),
        Index("ix_scheduled_job_executions_status", "status", text("started_at DESC"), text("id DESC")),
        Index("ix_scheduled_job_executions_started_at", text("started_at DESC"), text("id DESC")),
        Index("ix_scheduled_job_executions_change", "change"),
        Index("ix_scheduled_job_executions_namespace", "namespace", text("started_at DESC"), text("id DESC")),
        Index(
            "ix_scheduled_job_executions_namespace_status",
            "namespace",
            "status",
            text("started_at DESC"),
            text("id DESC"),
        ),
        Index(
            "ix_scheduled_job_executions_job_id_status",
            "job_id",
            "status",
            text("started_at DESC"),
            text("id DESC"),
        ),
        Index(
            "ix_scheduled_job_executions_asked_slot",
            "job_id",
            "scheduled_for",
            postgresql_where=text("triggered_by <> 'scheduler' AND scheduled_for IS NOT NULL"),
        ),
    )

    id: Mapped[Key]
    job_id: Mapped[UUID]
    namespace: Mapped[Namespace]
    celery_task_id: Mapped[str | None] = mapped_column(String(100))
    status: Mapped[Word]
    phase: Mapped[Word]
    """Pending, Running, Waiting (for a retry), or the run's result in the cluster's words."""
    reason: Mapped[Text253 | None]
    scheduled_for: Mapped[datetime | None]
    started_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    duration_seconds: Mapped[float | None] = mapped_column(
        Double,
        Computed("(EXTRACT(epoch FROM (completed_at - started_at)))::double precision", persisted=True),
    )
    result: Mapped[dict[str, Any] | None]
    error_message: Mapped[str | None] = mapped_column(String(2000))
    error_traceback: Mapped[LongText | None]
    triggered_by: Mapped[str] = mapped_column(String(50))
    triggered_by_user_id: Mapped[UUID | None]
    requested_by: Mapped[Text253 | None]
    request_reason: Mapped[Text1000 | None]
    run_name: Mapped[ResourceName | None]
    """The ScheduledJobRun that asked for it; none for a slot."""
    scheduler_instance_id: Mapped[UUID | None]

    attempt: Mapped[int] = mapped_column(server_default="0")
    """The number of the newest attempt, from 1; 0 while there is no Job."""
    attempts: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    """Each attempt, oldest first, with its own times, Job, Pod, node, exit code, reason and versions."""
    job_name: Mapped[str | None] = mapped_column(String(63))
    pod_name: Mapped[Text253 | None]
    node: Mapped[Text253 | None]
    exit_code: Mapped[int | None]

    schedule_resource_version: Mapped[Version]
    """The newest version seen of the ScheduledJob; below, of the ScheduledJobRun, newest Job and Pod."""
    run_resource_version: Mapped[Version]
    job_resource_version: Mapped[Version]
    pod_resource_version: Mapped[Version]
    epoch: Mapped[Epoch]
    sources: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    """What its ScheduledJobRun and its schedule's status say of it; it is built from these and `attempts`."""
    change: Mapped[int | None] = mapped_column(BigInteger)
    """The number of the newest change, higher than that of all committed before; a trigger gives it."""


class ScheduledJobSlot(Base):
    """Slots in a row that started no run, with the one verdict they share: Skipped, Missed or NotMirrored."""

    __tablename__ = "scheduler_slots"
    __table_args__ = (
        CheckConstraint("first_slot <= last_slot", "order"),
        CheckConstraint("count > 0", "count"),
        Index("ix_scheduler_slots_last_slot", "last_slot"),
    )

    job_id: Mapped[Key]
    first_slot: Mapped[datetime] = mapped_column(primary_key=True)
    last_slot: Mapped[datetime]
    count: Mapped[int] = mapped_column(BigInteger, server_default="1")
    verdict: Mapped[Word]
    reason: Mapped[Text253]
    message: Mapped[LongText | None]
    resource_version: Mapped[Version]
    epoch: Mapped[Epoch]


class SchedulerInstance(Base):
    """A process of the operator, from its member Lease; the row stays when the Lease goes."""

    __tablename__ = "scheduler_instances"
    __table_args__ = (
        Index("ix_scheduler_instances_is_leader", "is_leader"),
        Index("ix_scheduler_instances_last_heartbeat", "last_heartbeat"),
    )

    id: Mapped[Key]
    hostname: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    is_leader: Mapped[No]
    leader_since: Mapped[datetime | None]
    last_heartbeat: Mapped[datetime]
    started_at: Mapped[datetime]
    version: Mapped[str] = mapped_column(String(50))
    term: Mapped[int | None] = mapped_column(BigInteger)
    """The term in which it leads; below, what the leader says of the fence, and of what holds all starts."""
    fence: Mapped[str | None] = mapped_column(String(20))
    held_by: Mapped[str | None] = mapped_column(String(500))
    held_until: Mapped[str | None] = mapped_column(String(500))
    resource_version: Mapped[Version]
    epoch: Mapped[Epoch]
    deleted_at: Mapped[datetime | None]
