"""The frontend's scheduleConfig and a resource's spec.schedule, each into the other without loss.

The forms are those of docs/api-contract.md, "scheduleConfig"; what a schedule means is sundial_core's.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from enum import IntEnum
from typing import Any

from sundial_api.http.json_values import is_same_json
from sundial_api.http.wire import read_whole
from sundial_clock.errors import quoted
from sundial_clock.instants import parse_instant
from sundial_clock.query import parse_query
from sundial_clock.schedule import CompiledSchedule, ScheduleError, compile_schedule
from sundial_clock.sentences import Language, Sentence, say
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

    def __init__(self, field: str, sentence: Sentence) -> None:
        super().__init__(sentence.english)
        self.field = field
        self.sentence = sentence


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
        _check_keys(given, ("at",), say("a job that runs once"))
        if "at" not in given:
            raise ConfigError("at", say("set the instant at which to run, such as 2026-12-01T08:00:00Z"))
        return {"at": given["at"]}
    raise ConfigError("", say("there is no such job type; 1 is interval, 2 is cron, 3 is once"))


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
    raise ConfigError(
        "", say("a schedule with none of the kinds that are known: {names}", names=", ".join(schedule))
    )


def is_same_config(job_type: int, wanted: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
    """Tell whether two scheduleConfigs of one type say the same.

    Zero periods and null say nothing, digits may be text, an instant has many forms, and an interval keeps
    its anchor: docs/api-contract.md, "Edits".
    """
    meant, known = _reduce(wanted), _reduce(shown)
    if job_type == JobType.INTERVAL and "anchor" not in meant:
        known.pop("anchor", None)
    return is_same_json(meant, known)


def check_schedule(
    schedule: Mapping[str, Any], name: str, created_at: datetime, language: Language = Language.ENGLISH
) -> CompiledSchedule:
    """Compile spec.schedule as the operator will; `name` is namespace/name.

    Raises ConfigError with the scheduleConfig's key, or `timeZone`.
    """
    keys = {_QUESTION.get(key, key): value for key, value in schedule.items()}
    try:
        request = parse_query(keys, created_at)
        return compile_schedule(request.schedule, name=name, created_at=created_at, language=language)
    except ScheduleError as error:
        raise ConfigError(_name_key(error.field), _say_here(error.sentence)) from error


def _say_here(sentence: Sentence) -> Sentence:
    """Say what the clock says of a schedule in the words of a scheduleConfig."""
    values = dict(sentence.values)
    if values.get("field") == "dayOfWeek":
        return say(
            "{field} {text} {advice}", field="day_of_week", text=values["text"], advice=values["advice"]
        )
    return next((own for begin, own in _OTHER_KINDS.items() if sentence.english.startswith(begin)), sentence)


_OTHER_KINDS = {
    "@every is": say('@every is an interval; write jobTypeId 1 and a scheduleConfig such as {"minutes": 5}'),
    "@reboot names": say("@reboot names no time; write a time such as 0 9 * * *, or jobTypeId 3 to run once"),
}
"""How the clock begins to say that a schedule of another kind is meant, and what is written here for one."""
_QUESTION = {"timeZone": "zone", "cronFields": "fields"}
_SHOWN = {"cron": "expression", "zone": "timeZone", "dayOfWeek": "day_of_week"}
_WHOLE = ("schedule", "interval", "cronFields", "fields")


def _name_key(field: str) -> str:
    """Find the key of a scheduleConfig that a path under spec, or of a question, is about."""
    last = field.rpartition(".")[2]
    return "" if last in _WHOLE else _SHOWN.get(last, last)


def _parse_interval(given: Mapping[str, Any]) -> JsonObject:
    _check_keys(given, (*PERIODS, "anchor"), say("an interval"))
    interval = {key: _parse_whole(key, value) for key, value in given.items() if key != "anchor"}
    if not any(interval.values()):
        raise ConfigError(
            "", say("the period is zero; set at least one of {periods} above 0", periods=", ".join(PERIODS))
        )
    anchor = {"anchor": given["anchor"]} if "anchor" in given else {}
    return {"interval": interval} | anchor


def _parse_cron(given: Mapping[str, Any]) -> JsonObject:
    if "expression" in given:
        _check_keys(given, ("expression",), say("a cron expression"))
        return {"cron": given["expression"]}
    _check_keys(given, CRON_FIELDS, say("a cron schedule"))
    if not given:
        raise ConfigError("", say('set at least one field, such as {"hour": 9, "day_of_week": "mon-fri"}'))
    return {"cronFields": {_camel(key): _take_cron_value(value) for key, value in given.items()}}


def _take_cron_value(value: object) -> object:
    """Take 9.0 for 9; anything else stays for the clock to judge."""
    whole = read_whole(value) if isinstance(value, float) else None
    return value if whole is None else whole


def _reduce(config: Mapping[str, Any]) -> JsonObject:
    """Give each value in one form, without those that say nothing."""
    given = {_snake(key): value for key, value in config.items()}
    reduced = {key: _reduce_value(key, value) for key, value in given.items() if value is not None}
    return {key: value for key, value in reduced.items() if key not in PERIODS or not is_same_json(value, 0)}


def _reduce_value(key: str, value: Any) -> Any:
    if key in PERIODS:
        whole = read_whole(value)
        return value if whole is None else whole
    if key in CRON_FIELDS:
        value = _take_cron_value(value)
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if key in ("anchor", "at") and isinstance(value, str):
        with suppress(ValueError):
            return parse_instant(value)
    return value


def _parse_whole(key: str, value: object) -> int:
    """Read a period; forms send digits as text too."""
    number = read_whole(value)
    if number is not None and number >= 0:
        return number
    raise ConfigError(key, say("{value} is not possible; write a whole number from 0", value=quoted(value)))


def _check_keys(given: Mapping[str, Any], known: tuple[str, ...], what: Sentence) -> None:
    unknown = next((key for key in given if key not in known), None)
    if unknown is not None:
        raise ConfigError(
            unknown,
            say(
                "{key} does not belong to {what}; it has {known}",
                key=quoted(unknown),
                what=what,
                known=", ".join(known),
            ),
        )


def _snake(key: str) -> str:
    return "day_of_week" if key == "dayOfWeek" else key


def _camel(key: str) -> str:
    return "dayOfWeek" if key == "day_of_week" else key
