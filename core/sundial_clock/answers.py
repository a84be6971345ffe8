"""What `python -m sundial_clock slots` answers, as text; reading and printing are left to `__main__`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from sundial_clock.errors import quoted
from sundial_clock.query import SlotQuery, parse_query
from sundial_clock.schedule import ScheduleError, compile_schedule
from sundial_clock.zones import load_zone

# A status names the resource's fields, a command its options.
_OPTION_NAMES = {"schedule.timeZone": "zone", "schedule.cronFields": "fields"}


def answer_line(line: bytes, now: datetime) -> bytes:
    """Answer one line of JSON with one line of JSON: the slots, or the error that a user would see."""
    try:
        slots, _ = list_slots(parse_query(_parse_line(line), now))
    except ScheduleError as error:
        return orjson.dumps({"error": describe_error(error)})
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
        lines.append("no more slots follow" if slots else f"no slot follows {write_instant(request.after)}")
    return "\n".join([text, *lines])


def list_slots(request: SlotQuery) -> tuple[list[datetime], str]:
    """Find the slots that a request asks for, and the schedule in words. Raises ScheduleError."""
    schedule = compile_schedule(request.schedule, name=request.name, created_at=request.after)
    return schedule.slots_after(request.after, request.count), schedule.text


def describe_error(error: ScheduleError) -> str:
    """Say which option is wrong and what to write instead."""
    field = error.field
    for path, option in _OPTION_NAMES.items():
        field = option + field.removeprefix(path) if field.startswith(path) else field
    return f"{field.removeprefix('schedule.')}: {error}"


def write_instant(instant: datetime) -> str:
    """Write an instant in UTC with seconds and Z; a fraction only where there is one."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _parse_line(line: bytes) -> Mapping[str, Any]:
    try:
        keys = orjson.loads(line)
    except orjson.JSONDecodeError:
        message = f"{quoted(line.decode(errors='replace').strip())} is not JSON; write one object a line."
        raise ScheduleError("line", message) from None
    if not isinstance(keys, dict):
        raise ScheduleError(
            "line", f'{quoted(keys)} is not an object; write one such as {{"cron": "0 9 * * *"}}.'
        )
    return keys


def _local(at: datetime) -> str:
    offset = at.utcoffset() or timedelta()
    minutes = abs(round(offset.total_seconds() / 60))
    sign = "-" if offset < timedelta() else "+"
    return f"{at:%a %Y-%m-%d %H:%M:%S} {sign}{minutes // 60:02}:{minutes % 60:02} {at.tzname()}"
