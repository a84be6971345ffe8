"""The frontend's scheduleConfig and a resource's spec.schedule, each into the other without loss.

The forms are those of docs/api-contract.md, "scheduleConfig"; what a schedule means is sundial_core's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any

from sundial_clock.errors import quoted
from sundial_clock.query import parse_query
from sundial_clock.schedule import CompiledSchedule, ScheduleError, compile_schedule
from sundial_core.resources.raw import JsonObject

KINDS = ("cron", "cronFields", "interval", "anchor", "at")
"""The fields of spec.schedule that a scheduleConfig decides; zone, clock policy and window are others."""

PERIODS = ("weeks", "days", "hours", "minutes", "seconds")
CRON_FIELDS = ("year", "month", "week", "day", "day_of_week", "hour", "minute", "second")


class JobType(IntEnum):
    """The rows of scheduler_job_types."""

    INTERVAL = 1
    CRON = 2
    ONCE = 3


class ConfigError(ValueError):
    """A scheduleConfig that cannot be used; `field` is its key or empty, the text says what to write."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def parse_schedule_config(job_type: int, config: Mapping[str, Any]) -> JsonObject:
    """Build the fields of spec.schedule that a scheduleConfig decides; null means absent.

    Raises ConfigError.
    """
    given = {_snake(key): value for key, value in config.items() if value is not None}
    if job_type == JobType.INTERVAL:
        return _parse_interval(given)
    if job_type == JobType.CRON:
        return _parse_cron(given)
    if job_type == JobType.ONCE:
        _check_keys(given, ("at",), "a job that runs once")
        if "at" not in given:
            raise ConfigError("at", "set the instant at which to run, such as 2026-12-01T08:00:00Z")
        return {"at": given["at"]}
    raise ConfigError("", "there is no such job type; 1 is interval, 2 is cron, 3 is once")


def show_schedule_config(schedule: Mapping[str, Any]) -> tuple[JobType, JsonObject]:
    """Show spec.schedule as the frontend writes it; raises ConfigError where it is of no kind known here."""
    if "cron" in schedule:
        return JobType.CRON, {"expression": schedule["cron"]}
    if isinstance(schedule.get("cronFields"), dict):
        fields = schedule["cronFields"]
        return JobType.CRON, {_snake(name): value for name, value in fields.items() if value is not None}
    if "at" in schedule:
        return JobType.ONCE, {"at": schedule["at"]}
    if isinstance(schedule.get("interval"), dict):
        anchor = {"anchor": schedule["anchor"]} if schedule.get("anchor") else {}
        return JobType.INTERVAL, dict(schedule["interval"]) | anchor
    raise ConfigError("", f"a schedule with none of the kinds that are known: {', '.join(schedule)}")


def check_schedule(schedule: Mapping[str, Any], name: str, now: datetime) -> CompiledSchedule:
    """Compile spec.schedule as the operator will; `name` is namespace/name, an interval counts from `now`.

    Raises ConfigError with the scheduleConfig's key, or `timeZone`.
    """
    keys = {_QUESTION.get(key, key): value for key, value in schedule.items()}
    try:
        request = parse_query(keys, now)
        return compile_schedule(request.schedule, name=name, created_at=now)
    except ScheduleError as error:
        raise ConfigError(_name_key(error.field), str(error)) from error


_QUESTION = {"timeZone": "zone", "cronFields": "fields"}
_SHOWN = {"cron": "expression", "zone": "timeZone", "dayOfWeek": "day_of_week"}
_WHOLE = ("schedule", "interval", "cronFields", "fields")


def _name_key(field: str) -> str:
    """Find the key of a scheduleConfig that a path under spec, or of a question, is about."""
    last = field.rpartition(".")[2]
    return "" if last in _WHOLE else _SHOWN.get(last, last)


def _parse_interval(given: Mapping[str, Any]) -> JsonObject:
    _check_keys(given, (*PERIODS, "anchor"), "an interval")
    interval = {key: _parse_whole(key, value) for key, value in given.items() if key != "anchor"}
    if not any(interval.values()):
        raise ConfigError("", "the period is zero; set at least one of " + ", ".join(PERIODS) + " above 0")
    anchor = {"anchor": given["anchor"]} if "anchor" in given else {}
    return {"interval": interval} | anchor


def _parse_cron(given: Mapping[str, Any]) -> JsonObject:
    if "expression" in given:
        _check_keys(given, ("expression",), "a cron expression")
        return {"cron": given["expression"]}
    _check_keys(given, CRON_FIELDS, "a cron schedule")
    if not given:
        raise ConfigError("", 'set at least one field, such as {"hour": 9, "day_of_week": "mon-fri"}')
    return {"cronFields": {_camel(key): value for key, value in given.items()}}


def _parse_whole(key: str, value: object) -> int:
    """Read a period; forms send digits as text too."""
    is_digits = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12
    if is_digits or (isinstance(value, int) and not isinstance(value, bool)):
        number = int(value)  # type: ignore[call-overload]
        if number >= 0:
            return int(number)
    raise ConfigError(key, f"{quoted(value)} is not possible; write a whole number from 0")


def _check_keys(given: Mapping[str, Any], known: tuple[str, ...], what: str) -> None:
    unknown = next((key for key in given if key not in known), None)
    if unknown is not None:
        raise ConfigError(unknown, f"{quoted(unknown)} does not belong to {what}; it has {', '.join(known)}")


def _snake(key: str) -> str:
    return "day_of_week" if key == "dayOfWeek" else key


def _camel(key: str) -> str:
    return "dayOfWeek" if key == "day_of_week" else key
