"""What is kept beside the mirrored rows? Ids, totals, changes, logs, what could not be read."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, SmallInteger, String, text
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
    ResourceName,
    Text253,
    Version,
    Word,
)


class TaskFunctionId(Base):
    """The number of a TaskFunction, made when a job only names it; kept while any row shows it."""

    __tablename__ = "scheduler_task_function_ids"
    __table_args__ = (
        CheckConstraint("id > 0", "positive"),
        Index("uq_scheduler_task_function_ids_name", "namespace", "resource_name", unique=True),
    )

    id: Mapped[Number]
    namespace: Mapped[Namespace]
    resource_name: Mapped[ResourceName]


class ExecutionCount(Base):
    """How many executions a job has in a status and namespace, which is its own.

    Triggers on the executions keep it, statement by statement. Rows are locked in the order of the key: a
    transaction that writes executions in several statements goes through the jobs in that order, or may meet
    another one in a deadlock.
    """

    __tablename__ = "scheduler_execution_counts"
    __table_args__ = (
        Index("ix_scheduler_execution_counts_status", "status", postgresql_where=text("count > 0")),
        Index(
            "ix_scheduler_execution_counts_namespace",
            "namespace",
            "status",
            postgresql_where=text("count > 0"),
        ),
    )

    job_id: Mapped[Key]
    status: Mapped[Word] = mapped_column(primary_key=True)
    namespace: Mapped[Namespace] = mapped_column(primary_key=True, server_default="")
    """Empty where the release before wrote it: it is counted again."""
    count: Mapped[int] = mapped_column(BigInteger)


class ScheduledJobState(Base):
    """What the log of changes knew last of a ScheduledJob; arguments and template as hashes."""

    __tablename__ = "scheduler_job_states"

    job_id: Mapped[Key]
    state: Mapped[dict[str, Any]] = mapped_column(JSONB)


class QuarantinedObject(Base):
    """An object of the cluster that could not be read; deleted when a later version of it can be."""

    __tablename__ = "scheduler_quarantine"
    __table_args__ = (
        Index("ix_scheduler_quarantine_last_seen", "last_seen"),
        Index("ix_scheduler_quarantine_namespace", "namespace", "last_seen"),
    )

    kind: Mapped[str] = mapped_column(String(63), primary_key=True)
    key: Mapped[str] = mapped_column(String(320), primary_key=True)
    """Its UID, else `namespace/name`."""
    namespace: Mapped[Namespace | None]
    resource_name: Mapped[ResourceName | None]
    resource_version: Mapped[Version]
    epoch: Mapped[Epoch]
    document: Mapped[Any] = mapped_column(JSON)
    """An excerpt, without what looks like a secret; never a Pod's or a template's spec."""
    error: Mapped[LongText]
    seen_count: Mapped[int] = mapped_column(BigInteger, server_default="1")
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]


class MirrorState(Base):
    """How far the mirror is; one row, made by the migrations."""

    __tablename__ = "scheduler_mirror_state"
    __table_args__ = (CheckConstraint("id = 1", "single"),)

    id: Mapped[Number] = mapped_column(server_default="1")
    epoch: Mapped[Epoch]
    highest_resource_version: Mapped[Version]
    watermarks: Mapped[dict[str, int]] = mapped_column(JSONB, server_default="{}")
    """Per feed (jobs, pods, ...) the version up to which all is committed here."""
    last_synced_at: Mapped[datetime | None]
    """When all feeds were last known to be caught up."""
    mirrored_until: Mapped[datetime | None]
    """Up to when all that the cluster had is committed here, by when it was last heard of each kind."""
    instance_id: Mapped[UUID | None]
    """The process that wrote last."""
    step: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """How many transactions the mirror has committed: one that knows of more sees that rows went back."""


class EventLog(Base):
    """What the numbers of changes are worth; one row, made by the migrations."""

    __tablename__ = "scheduler_event_log"
    __table_args__ = (CheckConstraint("id = 1", "single"),)

    id: Mapped[Number] = mapped_column(server_default="1")
    log_id: Mapped[UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    """The ids of events are made of it; another one with each epoch, so that those of another database, or of
    what was restored, are seen."""
    forgotten_until: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The highest change of a job whose row is gone: who has not heard of it cannot learn it any more."""


class ScheduledJobChange(Base):
    """A change of a ScheduledJob as it was seen: what was changed, and as far as is known by whom."""

    __tablename__ = "scheduled_job_changes"
    __table_args__ = (
        CheckConstraint("kind IN ('created', 'changed', 'deleted')", "kind"),
        CheckConstraint("change_count > 0", "change_count"),
        Index("ix_scheduled_job_changes_job_id", "job_id", text("seen_at DESC"), text("id DESC")),
        Index("ix_scheduled_job_changes_seen_at", "seen_at"),
    )

    id: Mapped[Key]
    job_id: Mapped[UUID]
    namespace: Mapped[Namespace]
    kind: Mapped[Word]
    seen_at: Mapped[datetime]
    changed_at: Mapped[datetime | None]
    """When it was written, where the object tells."""
    manager: Mapped[str | None] = mapped_column(String(128))
    user_id: Mapped[UUID | None]
    user_name: Mapped[Text253 | None]
    """Who asked the API for it, and from where; none for what others wrote."""
    client_address: Mapped[str | None] = mapped_column(String(45))
    generation: Mapped[int] = mapped_column(BigInteger, server_default="0")
    change_count: Mapped[int] = mapped_column(BigInteger, server_default="1")
    """How many changes are told as this one."""
    fields: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    from_version: Mapped[Version]
    """The resourceVersion that was known before; what it tells of came after it."""
    version: Mapped[Version]
    epoch: Mapped[Epoch]


class ExecutionLogTail(Base):
    """What is kept of the log of an attempt: its end, or the result that its last line tells.

    Without either it is wanted, or could not be had.
    """

    __tablename__ = "scheduled_job_log_tails"
    __table_args__ = (
        CheckConstraint("log_text IS NULL OR (due_at IS NULL AND container IS NOT NULL)", "log_text"),
        Index("ix_scheduled_job_log_tails_job_id", "job_id", text("ended_at DESC")),
        Index("ix_scheduled_job_log_tails_wanted_at", "wanted_at"),
        Index(
            "ix_scheduled_job_log_tails_due",
            "due_at",
            "namespace",
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )

    execution_id: Mapped[Key]
    attempt: Mapped[Number]
    pod_uid: Mapped[str] = mapped_column(String(253), primary_key=True)
    """Of the Pod that was proved to be the attempt's when it was wanted."""
    job_id: Mapped[UUID]
    namespace: Mapped[Namespace]
    ended_at: Mapped[datetime]
    """When the attempt ended, as its Job says: of each job those that ended last are kept."""
    wanted_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    """When it is read next; none when it was read, or is not tried any more."""
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """How often the log could not be read although the Pod was there."""
    read_at: Mapped[datetime | None]
    container: Mapped[str | None] = mapped_column(String(63))
    log_text: Mapped[LongText | None]
    is_cut: Mapped[No]
    purpose: Mapped[Word] = mapped_column(server_default="tail")
    """`tail` of an attempt that failed, `result` of one whose message had no room for all of its result."""
    result: Mapped[dict[str, Any] | None]
