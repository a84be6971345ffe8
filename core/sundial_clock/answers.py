"""What `python -m sundial_clock slots` answers, as text; reading and printing are left to `command`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from sundial_clock.arabic.sentences import ARABIC
from sundial_clock.errors import quoted
from sundial_clock.query import SlotQuery, parse_query
from sundial_clock.schedule import ScheduleError, compile_schedule
from sundial_clock.sentences import Language, Sentence, say
from sundial_clock.zones import load_zone

# A status names the resource's fields, a command its options.
_OPTION_NAMES = {"schedule.timeZone": "zone", "schedule.cronFields": "fields"}


def answer_line(line: bytes, now: datetime) -> bytes:
    """Answer one line of JSON with one line of JSON: the slots, or the error that a user would see."""
    keys: Mapping[str, Any] = {}
    try:
        keys = _parse_line(line)
        slots, _ = list_slots(parse_query(keys, now))
    except ScheduleError as error:
        return orjson.dumps({"error": describe_error(error, keys)})
    return orjson.dumps({"slots": [write_instant(slot) for slot in slots]})


def answer_json(keys: Mapping[str, Any], now: datetime) -> str:
    """Answer for a program: the schedule in words and its slots. Raises ScheduleError."""
    slots, text = list_slots(parse_query(keys, now))
    return orjson.dumps({"text": text, "slots": [write_instant(slot) for slot in slots]}).decode()


def answer_text(keys: Mapping[str, Any], now: datetime) -> str:
    """Answer for a person: the schedule in words, each slot in UTC and in its zone. Raises ScheduleError."""
    request = parse_query(keys, now)
    slots, text = list_slots(request)
    zone = load_zone(request.schedule.time_zone)
    lines = [f"{write_instant(slot)}  {_local(slot.astimezone(zone))}" for slot in slots]
    if len(slots) < request.count:
        lines.append(_show(_describe_end(slots, request.after), request.language))
    return "\n".join([text, *lines])


def _describe_end(slots: list[datetime], after: datetime) -> Sentence:
    if slots:
        return say("no more slots follow")
    return say("no slot follows {instant}", instant=write_instant(after))


def _show(sentence: Sentence, language: Language) -> str:
    return sentence.english if language is Language.ENGLISH else ARABIC.render(sentence)


def list_slots(request: SlotQuery) -> tuple[list[datetime], str]:
    """Find the slots that a request asks for, and the schedule in words. Raises ScheduleError."""
    schedule = compile_schedule(
        request.schedule, name=request.name, created_at=request.after, language=request.language
    )
    return schedule.slots_after(request.after, request.count), schedule.text


def describe_error(error: ScheduleError, keys: Mapping[str, Any]) -> str:
    """Say which option is wrong and what to write instead, in the language of the question."""
    field = error.field
    for path, option in _OPTION_NAMES.items():
        field = option + field.removeprefix(path) if field.startswith(path) else field
    is_arabic = keys.get("language") == Language.ARABIC
    shown = _show(error.sentence, Language.ARABIC if is_arabic else Language.ENGLISH)
    return f"{field.removeprefix('schedule.')}: {shown}"


def write_instant(instant: datetime) -> str:
    """Write an instant in UTC with seconds and Z; a fraction only where there is one."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _parse_line(line: bytes) -> Mapping[str, Any]:
    try:
        keys = orjson.loads(line)
    except orjson.JSONDecodeError:
        message = say(
            "{value} is not JSON; write one object a line.",
            value=quoted(line.decode(errors="replace").strip()),
        )
        raise ScheduleError("line", message) from None
    if not isinstance(keys, dict):
        raise ScheduleError(
            "line",
            say(
                "{value} is not an object; write one such as {example}.",
                value=quoted(keys),
                example='{"cron": "0 9 * * *"}',
            ),
        )
    return keys


def _local(at: datetime) -> str:
    offset = at.utcoffset() or timedelta()
    minutes = abs(round(offset.total_seconds() / 60))
    sign = "-" if offset < timedelta() else "+"
    return f"{at:%a %Y-%m-%d %H:%M:%S} {sign}{minutes // 60:02}:{minutes % 60:02} {at.tzname()}"
