"""One question to the clock as JSON keys or options give it, checked; the answer is in `answers`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sundial_clock.errors import ScheduleError, quoted
from sundial_clock.sentences import Language, say
from sundial_clock.spec import CronFields, DstPolicy, Interval, Schedule

DEFAULT_COUNT = 5
MAX_COUNT = 100_000
DEFAULT_NAME = "default/example"

_KINDS = ("cron", "fields", "interval", "at")
_CRON_FIELDS = ("second", "minute", "hour", "day", "month", "dayOfWeek", "week", "year")
_PERIODS = ("weeks", "days", "hours", "minutes", "seconds")
_MISTAKEN = {
    **dict.fromkeys(("timeZone", "timezone", "time_zone", "tz"), "zone"),
    **dict.fromkeys(("cronFields", "cron_fields"), "fields"),
    **dict.fromkeys(("expression", "schedule"), "cron"),
    **dict.fromkeys(("starts_at", "start"), "startsAt"),
    **dict.fromkeys(("ends_at", "end"), "endsAt"),
    **dict.fromkeys(("limit", "n"), "count"),
}
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class SlotQuery:
    """A schedule and the slots of it that are wanted; an interval without anchor counts from `after`."""

    schedule: Schedule
    name: str
    after: datetime
    count: int
    language: Language


def parse_query(keys: Mapping[str, Any], now: datetime) -> SlotQuery:
    """Read a question; null means absent and unknown keys are ignored. Raises ScheduleError."""
    given = {key: value for key, value in keys.items() if value is not None}
    mistaken = next((key for key in given if key in _MISTAKEN), None)
    if mistaken is not None:
        raise ScheduleError(mistaken, say("the key is not known here; write {key}.", key=_MISTAKEN[mistaken]))
    if sum(key in given for key in _KINDS) != 1:
        raise ScheduleError("schedule", say("exactly one of cron, fields, interval and at must be set"))
    after = _parse_instant(given, "after") or now
    name = _parse_text(given, "name") or DEFAULT_NAME
    return SlotQuery(_parse_schedule(given), name, after, _parse_count(given), _parse_language(given))


def _parse_language(given: Mapping[str, Any]) -> Language:
    written = _parse_text(given, "language") or Language.ENGLISH.value
    language = {language.value: language for language in Language}.get(written)
    if language is None:
        raise ScheduleError(
            "language", say("{value} is not a language here; write en or ar.", value=quoted(written))
        )
    return language


def _parse_schedule(given: Mapping[str, Any]) -> Schedule:
    return Schedule(
        cron=_parse_text(given, "cron"),
        cron_fields=_parse_fields(given),
        interval=_parse_interval(given),
        anchor=_parse_instant(given, "anchor"),
        at=_parse_instant(given, "at"),
        time_zone="UTC" if (zone := _parse_text(given, "zone")) is None else zone,
        dst=_parse_dst(given),
        starts_at=_parse_instant(given, "startsAt"),
        ends_at=_parse_instant(given, "endsAt"),
    )


def _parse_text(given: Mapping[str, Any], key: str) -> str | None:
    value = given.get(key)
    if value is None or isinstance(value, str):
        return value
    raise ScheduleError(key, say("{value} is not a text; write it in double quotes.", value=quoted(value)))


def _parse_instant(given: Mapping[str, Any], key: str) -> datetime | None:
    text = _parse_text(given, key)
    if text is None:
        return None
    if _INSTANT.fullmatch(text) is None:
        raise ScheduleError(
            key,
            say(
                "{value} is not an instant; write a date, a time and an offset, such as"
                " 2026-12-01T08:00:00Z.",
                value=quoted(text),
            ),
        )
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ScheduleError(
            key,
            say(
                "{value} is not in the calendar; write a date, a time and an offset, such as"
                " 2026-12-01T08:00:00Z.",
                value=quoted(text),
            ),
        ) from None


def _parse_count(given: Mapping[str, Any]) -> int:
    count = given.get("count", DEFAULT_COUNT)
    if _is_whole(count) and 1 <= count <= MAX_COUNT:
        return int(count)
    raise ScheduleError(
        "count",
        say(
            "{value} is not possible; write a number from 1 to {limit}.",
            value=quoted(count),
            limit=MAX_COUNT,
        ),
    )


def _parse_dst(given: Mapping[str, Any]) -> DstPolicy:
    written = _parse_text(given, "dst") or DstPolicy.ONCE.value
    policy = {policy.value.lower(): policy for policy in DstPolicy}.get(written.lower())
    if policy is None:
        raise ScheduleError(
            "dst", say("{value} is not a policy; write once or literal.", value=quoted(written))
        )
    return policy


def _parse_fields(given: Mapping[str, Any]) -> CronFields | None:
    if "fields" not in given:
        return None
    fields = {
        _camel(key): value for key, value in _parse_object(given, "fields").items() if value is not None
    }
    for key, value in fields.items():
        if key not in _CRON_FIELDS:
            raise ScheduleError(
                "fields",
                say(
                    "{value} is not a field; write {fields}.",
                    value=quoted(key),
                    fields=", ".join(_CRON_FIELDS),
                ),
            )
        if not (isinstance(value, str) or _is_whole(value)):
            raise ScheduleError(
                f"fields.{key}",
                say("{value} is not possible; write a number or a text.", value=quoted(value)),
            )
    return CronFields(**{_snake(key): value for key, value in fields.items()})


def _parse_interval(given: Mapping[str, Any]) -> Interval | None:
    if "interval" not in given:
        return None
    parts = {key: value for key, value in _parse_object(given, "interval").items() if value is not None}
    for key, value in parts.items():
        if key not in _PERIODS:
            raise ScheduleError(
                "interval",
                say(
                    "{value} is not a period; write {periods}.",
                    value=quoted(key),
                    periods=", ".join(_PERIODS),
                ),
            )
        if not _is_whole(value):
            raise ScheduleError(
                f"interval.{key}",
                say("{value} is not possible; write a whole number.", value=quoted(value)),
            )
    return Interval(**parts)


def _parse_object(given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = given[key]
    if isinstance(value, Mapping):
        return value
    example = '{"hour": 9}' if key == "fields" else '{"minutes": 5}'
    raise ScheduleError(
        key,
        say("{value} is not an object; write one such as {example}.", value=quoted(value), example=example),
    )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _camel(key: str) -> str:
    return "dayOfWeek" if key == "day_of_week" else key


def _snake(key: str) -> str:
    return "day_of_week" if key == "dayOfWeek" else key
