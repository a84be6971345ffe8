"""A schedule as plain values, which `compile_schedule` takes; nothing is checked before it is compiled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DstPolicy(StrEnum):
    """What a clock change does to wall-clock slots.

    Once: a time that is skipped fires right after the gap, one that is repeated fires the first time only.
    Literal: a skipped time does not fire, a repeated one fires twice.
    """

    ONCE = "Once"
    LITERAL = "Literal"


@dataclass(frozen=True, slots=True)
class CronFields:
    """APScheduler's cron fields; weekday 0 is Monday, day and weekday must both match.

    A field left out is its minimum where it is smaller than the smallest one given, else every value.
    """

    second: int | str | None = None
    minute: int | str | None = None
    hour: int | str | None = None
    day: int | str | None = None
    month: int | str | None = None
    day_of_week: int | str | None = None
    week: int | str | None = None
    year: int | str | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """A fixed period, the sum of its parts; a day is 24 hours."""

    weeks: int = 0
    days: int = 0
    hours: int = 0
    minutes: int = 0
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """Exactly one of cron, cron_fields, interval and at, with its zone and window; instants are aware."""

    cron: str | None = None
    cron_fields: CronFields | None = None
    interval: Interval | None = None
    anchor: datetime | None = None  # the first slot of an interval
    at: datetime | None = None  # the one slot
    time_zone: str = "UTC"  # an IANA name; cron and cron_fields are read in it
    dst: DstPolicy = DstPolicy.ONCE
    starts_at: datetime | None = None  # no slot is before it
    ends_at: datetime | None = None  # no slot is after it
