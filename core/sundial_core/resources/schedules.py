"""The schedule of a ScheduledJob as a user writes it: the models and what the API server refuses in them.

What a schedule means is in `sundial_clock`; what passes here and still does not parse becomes Ready=False.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from sundial_clock import spec
from sundial_clock.spec import DstPolicy
from sundial_core.resources.cel import (
    FieldReason,
    Rule,
    exactly_one,
    validations,
)
from sundial_core.resources.fields import Model
from sundial_core.resources.raw import JsonObject

CronField = int | Annotated[str, Field(max_length=64)]

ZONE_PATTERN = "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"
NAMES_ZONE = "self.matches('(?i)TZ=')"
NAMES_PERIOD = "self.matches('(?i)^[ \\\\t]*@every')"
CRON_RULES = validations(
    Rule(f"!{NAMES_ZONE}", "must not name a time zone; write it into timeZone beside cron"),
    Rule(f"!{NAMES_PERIOD}", "must not be @every; use interval instead, for example interval: {minutes: 5}"),
    Rule(
        f"{NAMES_ZONE} || {NAMES_PERIOD}"
        r" || self.matches('^[ \\t]*(@(?i:yearly|annually|monthly|weekly|daily|midnight|hourly)"
        r"|([0-9A-Za-z*/,#?()-]+[ \\t]+){4,6}[0-9A-Za-z*/,#?()-]+)[ \\t]*$')",
        "must be 5 cron fields (minute hour day month weekday), 6 with leading seconds or 7 with a trailing"
        " year, or one of @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly",
    ),
)
ZONE_RULES = validations(
    Rule(
        f"self.matches('{ZONE_PATTERN}') && self != 'Local'",
        "must be an IANA time zone such as Africa/Cairo or UTC, not an offset",
    ),
    Rule(
        f"!self.matches('{ZONE_PATTERN}') || self == 'Local'"
        " || timestamp('2024-01-01T00:00:00Z').getHours(self) >= 0",
        "must be an IANA time zone such as Africa/Cairo or UTC",
    ),
)
CRON_FIELD_TEXT = Rule(
    "type(self) != string || self.matches('^[0-9A-Za-z*/, -]+$')",
    "must be a number, a name, *, */n, a-b, a-b/n, last, or a list of these with commas",
)


def _cron_field(lowest: int, highest: int) -> dict[str, Any]:
    return {"minimum": lowest, "maximum": highest, **validations(CRON_FIELD_TEXT)}


def _without_default(schema: JsonObject) -> None:
    schema.pop("default")


class CronFieldsSpec(Model):
    """APScheduler's cron fields; weekday 0 is Monday, day and weekday must both match."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            Rule(
                "[has(self.second), has(self.minute), has(self.hour), has(self.day), has(self.month),"
                " has(self.dayOfWeek), has(self.week), has(self.year)].exists(x, x)",
                "set at least one of second, minute, hour, day, month, dayOfWeek, week and year,"
                ' for example {hour: 9, dayOfWeek: "mon-fri"}',
            )
        )
    )

    second: CronField | None = Field(default=None, json_schema_extra=_cron_field(0, 59))
    """Seconds, 0 to 59. When left out it is 0, the smallest field of all."""
    minute: CronField | None = Field(default=None, json_schema_extra=_cron_field(0, 59))
    """Minutes, 0 to 59. When left out it is 0, or every minute if second is given."""
    hour: CronField | None = Field(default=None, json_schema_extra=_cron_field(0, 23))
    """Hours, 0 to 23. When left out it is 0, or every hour if a smaller field is given."""
    day: CronField | None = Field(default=None, json_schema_extra=_cron_field(1, 31))
    """Days of the month, 1 to 31, or expressions such as "last", "last fri" and "1st mon". When left out it
    is 1, or every day if a smaller field (the weekday, hour, minute or second) is given."""
    month: CronField | None = Field(default=None, json_schema_extra=_cron_field(1, 12))
    """Months, 1 to 12 or jan to dec. When left out it is 1, or every month if a smaller field is given."""
    day_of_week: CronField | None = Field(default=None, json_schema_extra=_cron_field(0, 6))
    """Weekdays, mon to sun or 0 to 6, where 0 is Monday. A slot must match both the day and the weekday."""
    week: CronField | None = Field(default=None, json_schema_extra=_cron_field(1, 53))
    """ISO weeks of the year, 1 to 53. When left out it is every week."""
    year: CronField | None = Field(default=None, json_schema_extra=_cron_field(1970, 9999))
    """Years, 1970 to 9999. When left out it is every year."""


class IntervalSpec(Model):
    """A fixed period; a day is 24 hours."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            Rule(
                "[has(self.weeks) ? self.weeks : 0, has(self.days) ? self.days : 0,"
                " has(self.hours) ? self.hours : 0, has(self.minutes) ? self.minutes : 0,"
                " has(self.seconds) ? self.seconds : 0].exists(v, v > 0)",
                "must be at least one second: set one of weeks, days, hours, minutes and seconds above 0",
            )
        )
    )

    weeks: int = Field(default=0, ge=0, le=5_200, json_schema_extra=_without_default)
    """Weeks of 7 times 24 hours, 0 when left out."""
    days: int = Field(default=0, ge=0, le=36_500, json_schema_extra=_without_default)
    """Days of 24 hours, whatever the clocks do, 0 when left out."""
    hours: int = Field(default=0, ge=0, le=876_000, json_schema_extra=_without_default)
    """Hours, 0 when left out."""
    minutes: int = Field(default=0, ge=0, le=52_560_000, json_schema_extra=_without_default)
    """Minutes, 0 when left out."""
    seconds: int = Field(default=0, ge=0, le=1_000_000_000, json_schema_extra=_without_default)
    """Seconds, 0 when left out."""


class ScheduleSpec(Model):
    """Exactly one of cron, cronFields, interval and at, with its zone and window."""

    model_config = ConfigDict(
        json_schema_extra=validations(
            exactly_one("cron", "cronFields", "interval", "at"),
            Rule(
                "!has(self.anchor) || has(self.interval)",
                "goes only with interval; use startsAt to say when another schedule begins",
                "anchor",
                FieldReason.FORBIDDEN,
            ),
            Rule(
                "!has(self.startsAt) || !has(self.endsAt) || self.endsAt > self.startsAt",
                "must be later than startsAt",
                "endsAt",
            ),
        )
    )

    cron: str | None = Field(default=None, max_length=256, json_schema_extra=CRON_RULES)
    """A cron expression: minute, hour, day, month and weekday, with seconds in front and a year behind if
    wanted, or @hourly, @daily, @weekly, @monthly and @yearly. Sunday is 0 or 7, L is last, 15W the weekday
    nearest to the 15th, 5#3 the third Friday, and H a value that is stable for each job and spreads the
    load."""
    cron_fields: CronFieldsSpec | None = None
    """Cron fields by name with the rules of APScheduler's CronTrigger: weekday 0 is Monday, and day and
    weekday must both match. A field smaller than the smallest one given is its minimum; any other field left
    out is every value."""
    interval: IntervalSpec | None = None
    """A fixed period without drift: the slots are anchor plus whole multiples of the sum of its fields."""
    anchor: datetime | None = None
    """The first slot of an interval. When left out, the job's creation time counts as the anchor, and the
    first slot is one interval later."""
    at: datetime | None = None
    """The one instant at which to run, such as 2026-12-01T08:00:00Z. One that has passed when the job is
    created never runs."""
    time_zone: str = Field(default="UTC", max_length=64, json_schema_extra=ZONE_RULES)
    """The IANA time zone in which cron and cronFields are read, such as Africa/Cairo."""
    dst: DstPolicy = DstPolicy.ONCE
    """What a clock change does to cron and cronFields. Once: a skipped time runs right after the gap, and a
    repeated time runs the first time only. Literal: a skipped time does not run, and a repeated one runs
    twice."""
    starts_at: datetime | None = None
    """No slot is before this instant, such as 2026-12-01T08:00:00Z; a slot at it counts."""
    ends_at: datetime | None = None
    """No slot is after this instant, such as 2026-12-31T23:59:59Z; a slot at it counts."""

    def to_schedule(self) -> spec.Schedule:
        """Give the plain values for the clock."""
        fields, interval = self.cron_fields, self.interval
        return spec.Schedule(
            cron=self.cron,
            cron_fields=spec.CronFields(**fields.model_dump()) if fields else None,
            interval=spec.Interval(**interval.model_dump()) if interval else None,
            anchor=self.anchor,
            at=self.at,
            time_zone=self.time_zone,
            dst=self.dst,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
        )
