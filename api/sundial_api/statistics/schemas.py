"""What the question and the answer about the statistics of a job look like."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import BaseModel, Field

from sundial_api.http.invalid_values import PLAIN
from sundial_api.http.wire import Instant, WireModel


class StatisticsQuery(BaseModel):
    """Of which days statistics are wanted."""

    days: int = Field(30, ge=1, le=90, description="How many days, today included.")
    time_zone: str | None = Field(
        None,
        max_length=64,
        pattern=PLAIN,
        description="The IANA zone in which days are told; else the job's.",
    )


class Percentiles(WireModel):
    """Seconds that half, and 95 of 100, do not exceed; none without a run to tell it from."""

    p50: float | None
    p95: float | None


class RunStatistics(WireModel):
    """How some runs did, by when they started."""

    runs: int
    succeeded: int
    failed: int
    timed_out: int
    unknown: int
    """Failed, because nobody saw how they ended: no part of the success rate and the duration."""
    open: int
    """Not ended yet."""
    success_rate: float | None
    """Succeeded of those that succeeded, failed or timed out, 0 to 1; none where there are none."""
    duration_seconds: Percentiles
    lateness_seconds: Percentiles
    """From the slot to the start; only of runs that the schedule started."""


class DayStatistics(RunStatistics):
    """How the runs of a day did."""

    day: date


class JobStatistics(WireModel):
    """How the runs of a job did in a window of whole days and what has passed of today."""

    job_id: UUID
    time_zone: str
    since: Instant
    until: Instant
    is_complete: bool
    """Whether all runs of the window are counted."""
    complete_since: Instant
    """From when on all runs are counted: older ones are too many, or are not kept any more."""
    total: RunStatistics
    days: list[DayStatistics]
    """Each day of the window, oldest first, those without a run too."""
