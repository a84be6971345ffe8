"""What does the original's schedule_config mean as spec.schedule? And what of it has no counterpart?

A value of APScheduler's triggers beside the frontend's fields is taken too: docs/migration.md, "Schedules".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sundial_api.http.schedule_config import ConfigError, JobType, parse_schedule_config
from sundial_api.importing.original.rows import OddValue, OriginalJob, parse_object
from sundial_api.importing.original.times import parse_time
from sundial_clock.errors import ScheduleError
from sundial_clock.instants import format_instant
from sundial_clock.zones import load_zone
from sundial_core.resources.raw import JsonObject

JOB_TYPES = {"interval": JobType.INTERVAL, "cron": JobType.CRON}


@dataclass(frozen=True, slots=True)
class OriginalSchedule:
    """When a job of the original runs: the arguments of its trigger, read."""

    kind: JobType
    config: JsonObject
    """What the frontend sent, without null."""
    zone: ZoneInfo
    start: datetime | None
    """`start_date`, or of an interval when it runs next."""
    end: datetime | None
    jitter: Any = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not carried over, in words."""
        return (f"jitter of {self.jitter} s is left out",) if self.jitter else ()


def read_original_schedule(job: OriginalJob, default: ZoneInfo) -> OriginalSchedule:
    """Read when a job ran in the original; raises OddValue."""
    kind = JOB_TYPES.get(job.job_type or "")
    if kind is None:
        raise OddValue("its job type is neither interval nor cron", job.job_type)
    given = parse_object(job.schedule_config, "schedule_config") or {}
    config = {key: value for key, value in given.items() if value is not None}
    zone = _read_zone(config.pop("timezone", None), default)
    start = _read_date(config.pop("start_date", None), zone, "start_date")
    end = _read_date(config.pop("end_date", None), zone, "end_date")
    jitter = config.pop("jitter", None)
    if kind is JobType.INTERVAL:
        start = parse_time(job.next_run_time, default, "next_run_time") or start
    return OriginalSchedule(kind, config, zone, start, end, jitter)


def build_schedule(schedule: OriginalSchedule) -> JsonObject:
    """Build spec.schedule: an interval counts from when the original would have run next.

    Raises OddValue with what to write instead.
    """
    try:
        built = parse_schedule_config(schedule.kind, schedule.config)
    except ConfigError as error:
        where = f"schedule_config.{error.field}" if error.field else "schedule_config"
        raise OddValue(f"{where}: {error}") from error
    return {**built, "timeZone": schedule.zone.key, **_build_window(schedule)}


def _build_window(schedule: OriginalSchedule) -> dict[str, str]:
    start_name = "anchor" if schedule.kind is JobType.INTERVAL else "startsAt"
    window = {start_name: schedule.start, "endsAt": schedule.end}
    return {name: format_instant(instant) for name, instant in window.items() if instant is not None}


def _read_zone(name: Any, default: ZoneInfo) -> ZoneInfo:
    if name is None:
        return default
    try:
        return load_zone(str(name))
    except ScheduleError as error:
        raise OddValue(f"schedule_config.timezone: {error}") from error


def _read_date(text: Any, zone: ZoneInfo, name: str) -> datetime | None:
    return parse_time(None if text is None else str(text), zone, f"schedule_config.{name}")
