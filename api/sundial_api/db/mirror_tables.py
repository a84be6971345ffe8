"""What does the mirror keep for itself? Ids that must not change, totals, objects it could not read."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sundial_api.db.columns import Base, Epoch, Key, LongText, Namespace, Number, ResourceName, Version, Word


class TaskFunctionId(Base):
    """The number of a TaskFunction for good: kept when it is deleted, and made when a job only names it."""

    __tablename__ = "scheduler_task_function_ids"
    __table_args__ = (
        CheckConstraint("id > 0", "positive"),
        Index("uq_scheduler_task_function_ids_name", "namespace", "resource_name", unique=True),
    )

    id: Mapped[Number]
    namespace: Mapped[Namespace]
    resource_name: Mapped[ResourceName]


class ExecutionCount(Base):
    """How many executions a job has in a status; triggers on the executions keep it, statement by statement.

    Rows are locked in the order of job and status: a transaction that writes executions in several statements
    goes through the jobs in that order, or may meet another one in a deadlock.
    """

    __tablename__ = "scheduler_execution_counts"
    __table_args__ = (
        Index("ix_scheduler_execution_counts_status", "status", postgresql_where=text("count > 0")),
    )

    job_id: Mapped[Key]
    status: Mapped[Word] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


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
    instance_id: Mapped[UUID | None]
    """The process that wrote last."""
