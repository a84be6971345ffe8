"""What the question and the answer about the next hours look like."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, Field

from sundial_api.http.paging import NamespaceName
from sundial_api.http.wire import Instant, WireModel


class ForecastQuery(BaseModel):
    """Which hours, and whose jobs, a forecast is wanted of."""

    hours: int = Field(24, ge=1, le=48, description="How many hours from now.")
    namespace: NamespaceName = None


class QuarterRead(WireModel):
    """How many slots of a job lie in a quarter of an hour, numbered as in `counts`."""

    quarter: int
    count: int


class JobForecast(WireModel):
    """A job with slots in these hours."""

    job_id: UUID
    name: str
    namespace: str
    first_slot: Instant
    count: int
    quarters: list[QuarterRead]


class ConstantJob(WireModel):
    """A job with more slots than quarters of an hour: it starts all the time."""

    job_id: UUID
    name: str
    namespace: str
    slots_per_day: float


class WhyUnknown(StrEnum):
    """Why the slots of a job are not known."""

    TIME_UP = "TimeUp"
    """Finding them has its limit of time; what was found is kept, so the next answer knows more."""
    UNUSABLE = "Unusable"
    """The schedule cannot be read."""


class UnknownJob(WireModel):
    """A job whose slots are not known."""

    job_id: UUID
    name: str
    namespace: str
    reason: WhyUnknown


class Forecast(WireModel):
    """What starts in the next hours if nobody changes anything; manual runs and retries are not foreseen."""

    since: Instant
    until: Instant
    first_quarter: Instant
    """When the first quarter of an hour of `counts` began; of the first and the last only a part counts."""
    counts: list[int]
    """Slots by quarter of an hour, of all jobs but those that start all the time."""
    jobs: list[JobForecast]
    """By their first slot."""
    omitted_jobs: int
    """Jobs that are in `counts`, and were too many to be listed."""
    constant_jobs: list[ConstantJob]
    omitted_constant_jobs: int
    unknown_jobs: list[UnknownJob]
    omitted_unknown_jobs: int
    is_complete: bool
    """Whether the slots of all jobs are known and counted."""
