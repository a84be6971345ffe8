"""The custom resources as pydantic models; the CRDs in `crds/` are generated from these.

Field names, limits and rules follow the page on custom resources in docs; a template stays raw JSON.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

JsonObject = dict[str, Any]


class Model(BaseModel):
    """A part of a custom resource: camelCase in JSON, snake_case here, unknown fields ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


class DstPolicy(StrEnum):
    """What a clock change does to wall-clock slots."""

    ONCE = "Once"
    LITERAL = "Literal"


class ConcurrencyPolicy(StrEnum):
    """What happens to a slot while earlier runs are active."""

    FORBID = "Forbid"
    ALLOW = "Allow"
    REPLACE = "Replace"
    QUEUE = "Queue"


class CatchUpPolicy(StrEnum):
    """What happens to slots that are later than the grace."""

    NONE = "None"
    LATEST = "Latest"
    ALL = "All"


class CronFields(Model):
    """APScheduler's cron fields; weekday 0 is Monday, day and weekday must both match."""

    second: int | str | None = None
    minute: int | str | None = None
    hour: int | str | None = None
    day: int | str | None = None
    month: int | str | None = None
    day_of_week: int | str | None = None
    week: int | str | None = None
    year: int | str | None = None


class Interval(Model):
    """A fixed period; a day is 24 hours."""

    weeks: int = 0
    days: int = 0
    hours: int = 0
    minutes: int = 0
    seconds: int = 0


class Schedule(Model):
    """Exactly one of cron, cronFields, interval and at, with its zone and window."""

    cron: str | None = None
    cron_fields: CronFields | None = None
    interval: Interval | None = None
    anchor: datetime | None = None
    at: datetime | None = None
    time_zone: str = "UTC"
    dst: DstPolicy = DstPolicy.ONCE
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class TaskFunctionRef(Model):
    """The TaskFunction, in the same namespace, that holds the template."""

    name: str


class Concurrency(Model):
    """How many runs may be active, and what happens to a slot beyond that."""

    policy: ConcurrencyPolicy = ConcurrencyPolicy.FORBID
    max_instances: int = 1
    max_queued: int | None = None


class Retry(Model):
    """How often and how late a failed run is tried again."""

    count: int = 3
    delay_seconds: int = 60


class CatchUp(Model):
    """What happens to slots that could not start on time."""

    policy: CatchUpPolicy = CatchUpPolicy.LATEST
    grace_seconds: int = 30
    window_seconds: int = 3600
    max_runs: int = 10


class History(Model):
    """How many ended runs keep their Jobs in the cluster."""

    successful: int = 3
    failed: int = 1


class ScheduledJobSpec(Model):
    """What a user asks for: when to run, what to run, and how to treat trouble."""

    display_name: str | None = None
    description: str | None = None
    schedule: Schedule
    suspend: bool = False
    task_function_ref: TaskFunctionRef | None = None
    template: JsonObject | None = None
    args: JsonObject | None = None
    concurrency: Concurrency = Field(default_factory=Concurrency)
    timeout_seconds: int | None = None
    start_timeout_seconds: int | None = None
    retry: Retry = Field(default_factory=Retry)
    catch_up: CatchUp = Field(default_factory=CatchUp)
    history: History = Field(default_factory=History)
