"""What a cron text names: 5 to 7 fields, @names, L, W, # and H. Clock changes are left to `slot_sources`.

croniter expands values, names, steps and hashes. What it reads differently from cron is taken out of the
text first: seconds at its end, `5-5` as the whole field, reversed ranges, W, L and # in lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from croniter import CroniterError, croniter

from sundial_clock.errors import ScheduleError, quoted
from sundial_clock.sentences import Sentence, say
from sundial_clock.slot_sources import Expression
from sundial_clock.wallclock import (
    MONTH_NAMES,
    WEEKDAY_NAMES,
    DayRule,
    DaySet,
    LastDay,
    LastWeekday,
    LastWorkday,
    NearestWorkday,
    NthWeekday,
    Pick,
    TimesOfDay,
    WallClock,
)

MAX_CRON_CHARS = 256
FIELD = "schedule.cron"

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def _list_names(names: Iterable[str], count: int) -> tuple[tuple[str, int], ...]:
    """List names in full and by three letters; the first is 1, and what would be `count` is 0."""
    numbered = [(name.upper(), number % count) for number, name in enumerate(names, 1)]
    return tuple((written, number) for name, number in numbered for written in (name[:3], name))


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a cron text: its bounds, its names and how to write it."""

    name: Sentence
    low: int
    high: int
    example: str
    names: tuple[tuple[str, int], ...] = ()

    def error(self, text: str, advice: Sentence) -> ScheduleError:
        """Say what is wrong with this field."""
        return ScheduleError(
            FIELD,
            say("the {field} field {text} {advice}", field=self.name, text=quoted(text), advice=advice),
        )

    def not_understood(self, text: str) -> ScheduleError:
        """Say that this field cannot be read."""
        return self.error(
            text, say("is not understood; write something like {example}.", example=self.example)
        )


SECOND = Field(say("second"), 0, 59, "0, */10 or 15,45")
MINUTE = Field(say("minute"), 0, 59, "0, */15 or 5-10")
HOUR = Field(say("hour"), 0, 23, "9, */2 or 9-17")
DAY = Field(say("day-of-month"), 1, 31, "1, 1,15, L, LW or 15W")
MONTH = Field(say("month"), 1, 12, "1, JAN or 1-6", _list_names(MONTH_NAMES, 13))
WEEKDAY = Field(say("weekday"), 0, 7, "1-5, MON-FRI, 5#3 or L5", _list_names(WEEKDAY_NAMES, 7))
YEAR = Field(say("year"), 1970, 2099, "2027 or 2027-2030")
FIELDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR)
_CRONITER_ORDER = (MINUTE, HOUR, DAY, MONTH, WEEKDAY, SECOND, YEAR)

_ITEM = re.compile(r"(?P<low>[*?]|\d+|[A-Z]{3,9})(?:-(?P<high>\d+|[A-Z]+))?(?:/(?P<step>\d+))?", re.ASCII)
_HASH = re.compile(r"H(?:\((?P<low>\d+)-(?P<high>\d+)\))?(?:/(?P<step>\d+))?", re.ASCII)
_NEAREST = re.compile(r"(\d+)W", re.ASCII)
_NTH = re.compile(r"(\d|[A-Z]{3,9})#(\d+)", re.ASCII)
_LAST = re.compile(r"L(\d|[A-Z]{3,9})|(\d|[A-Z]{3,9})L", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one field names: its values, the days that a rule names, and whether it holds a bare `*`."""

    values: frozenset[int]
    picks: tuple[Pick, ...]
    is_all: bool

    def day_set(self) -> DaySet | None:
        """Give the days as a restriction, or None; `*/2` restricts and `*/1` does not, as in a CronJob."""
        return None if self.is_all else DaySet(self.values, self.picks)


def parse_cron(text: str, name: str) -> Expression:
    """Read a cron text; `name` (namespace/name) is what H hashes. Raises ScheduleError."""
    written = _split_fields(text)
    second, minute, hour, day, month, weekday, year = (
        _parse_field(field, part, name if part.startswith("H") else "")
        for field, part in zip(FIELDS, written, strict=True)
    )
    times = TimesOfDay(*(tuple(sorted(part.values)) for part in (hour, minute, second)))
    days = DayRule(
        dates=day.day_set(),
        weekdays=weekday.day_set(),
        months=month.values,
        years=None if year.is_all else year.values,
    )
    return Expression(WallClock(times, days), is_stepped=any(map(_is_stepped, written[1:3])))


def has_hash(text: str) -> bool:
    """Tell whether a cron text has `H`, which stands for values made of a name; raises ScheduleError."""
    return any(part.startswith("H") for part in _split_fields(text))


def _is_stepped(written: str) -> bool:
    return written[0] in "*?" or "/" in written


def _split_fields(text: str) -> list[str]:
    _check_text(text)
    written = text.strip(" \t")
    if written.startswith("@"):
        written = _expand_name(written)
    fields = re.split(r"[ \t]+", written.upper())
    if not 5 <= len(fields) <= 7 or not written:
        raise ScheduleError(FIELD, _describe_count(quoted(text), len(fields) if written else 0))
    return [*(["0"] if len(fields) == 5 else []), *fields, *(["*"] if len(fields) < 7 else [])]


def _describe_count(text: str, count: int) -> Sentence:
    if count == 1:
        return say(
            "{text} has 1 field; write 5 (minute hour day month weekday), 6 (seconds first) or 7 (seconds"
            " first, year last).",
            text=text,
        )
    return say(
        "{text} has {count} fields; write 5 (minute hour day month weekday), 6 (seconds first) or 7 (seconds"
        " first, year last).",
        text=text,
        count=count,
    )


def _check_text(text: str) -> None:
    if len(text) > MAX_CRON_CHARS:
        raise ScheduleError(
            FIELD,
            say(
                "cron is {length} characters long; write at most {limit}, or split the schedule.",
                length=len(text),
                limit=MAX_CRON_CHARS,
            ),
        )
    odd = next((char for char in text if not (" " <= char <= "~" or char == "\t")), None)
    if odd is not None:
        raise ScheduleError(
            FIELD,
            say(
                "the character {character} has no place here; write digits, names, spaces and"
                " * , - / # ? ( ).",
                character=quoted(odd),
            ),
        )
    if "TZ=" in text.upper():
        raise ScheduleError(FIELD, say("TZ= and CRON_TZ= have no place here; write the zone in timeZone."))


def _expand_name(written: str) -> str:
    word = written.lower()
    if word in _NAMED:
        return _NAMED[word]
    if word.startswith("@every"):
        raise ScheduleError(
            FIELD, say("@every is an interval; write interval, such as interval: {minutes: 5}.")
        )
    if word == "@reboot":
        raise ScheduleError(
            FIELD, say("@reboot names no time; write a time such as 0 9 * * *, or use at to run once.")
        )
    raise ScheduleError(
        FIELD,
        say(
            "{text} is not a known name; write one of {names}.", text=quoted(written), names=", ".join(_NAMED)
        ),
    )


@lru_cache(maxsize=4096)
def _parse_field(field: Field, written: str, hash_name: str) -> Reading:
    if hash_name:
        return Reading(_expand(field, _parse_hash(field, written), hash_name), (), is_all=False)
    values: set[int] = set()
    picks: list[Pick] = []
    is_all = False
    for item in written.split(","):
        pick = _parse_pick(field, item)
        if pick is not None:
            picks.append(pick)
            continue
        plain = _parse_item(field, written, item)
        values |= _expand(field, plain, "")
        is_all = is_all or plain in ("*", "*/1")
    return Reading(frozenset(values), tuple(picks), is_all)


def _parse_pick(field: Field, item: str) -> Pick | None:
    if field is DAY:
        return _parse_day_pick(item)
    return _parse_weekday_pick(item) if field is WEEKDAY else None


def _parse_day_pick(item: str) -> Pick | None:
    if item == "L":
        return LastDay()
    if item in ("LW", "WL"):
        return LastWorkday()
    if re.fullmatch(r"L-\d+", item, re.ASCII):
        raise DAY.error(
            item, say("counts back from the last day, which is not supported; write L, LW or the days.")
        )
    if (nearest := _NEAREST.fullmatch(item)) is None:
        return None
    return NearestWorkday(_parse_value(DAY, item, nearest[1]))


def _parse_weekday_pick(item: str) -> Pick | None:
    if (nth := _NTH.fullmatch(item)) is not None:
        if not 1 <= int(nth[2]) <= 5:
            raise WEEKDAY.error(
                item, say("names no week of the month; write #1 to #5, or L5 for the last Friday.")
            )
        return NthWeekday(_monday_first(_parse_value(WEEKDAY, item, nth[1])), int(nth[2]))
    if (last := _LAST.fullmatch(item)) is not None:
        return LastWeekday(_monday_first(_parse_value(WEEKDAY, item, last[1] or last[2])))
    if item == "L":
        raise WEEKDAY.error(
            item, say("names no weekday; write L5 for the last Friday, or L in the day-of-month field.")
        )
    return None


def _monday_first(weekday: int) -> int:
    return (weekday + 6) % 7


def _parse_hash(field: Field, written: str) -> str:
    match = _HASH.fullmatch(written)
    if match is None:
        raise field.error(
            written, say("mixes H with something else; write H, H/15, H(0-29) or H(0-29)/10 alone.")
        )
    if field is YEAR:
        raise field.error(written, say("would pick a year at random; write the year."))
    if match["step"] is not None and int(match["step"]) == 0:
        raise field.error(written, say("has the step 0; write a step of 1 or more."))
    if match["low"] is not None:
        low, high = (_parse_value(field, written, match[key]) for key in ("low", "high"))
        if low >= high:
            raise field.error(
                written, say("needs a range that grows; write {range}.", range=f"H({field.low}-{field.high})")
            )
    return written


def _parse_item(field: Field, written: str, item: str) -> str:
    """Check one value, range or step, and write it so that croniter reads it as cron does."""
    match = _ITEM.fullmatch(item)
    if match is None or (match["low"] in "*?" and match["high"] is not None):
        raise field.not_understood(written)
    step = f"/{int(match['step'])}" if match["step"] is not None else ""
    if step == "/0":
        raise field.error(written, say("has the step 0; write a step of 1 or more."))
    if match["low"] in "*?":
        return f"*{step}"
    low = _parse_value(field, written, match["low"])
    return f"{low}{step}" if match["high"] is None else _parse_range(field, written, match, low)


def _parse_range(field: Field, written: str, match: re.Match[str], low: int) -> str:
    high = _parse_end(field, written, match["high"], low)
    if low > high:
        raise field.error(
            written,
            say(
                "runs backwards; write two parts such as {parts}.",
                parts=f"{low}-{field.high},{field.low}-{high}",
            ),
        )
    values = range(low, high + 1, int(match["step"] or 1))
    return ",".join(str(value) for value in values)


def _parse_end(field: Field, written: str, end: str, low: int) -> int:
    """Read a range's end: Sunday is 7 there unless the range begins with it, and L is the 31st."""
    if field is DAY and end == "L":
        return field.high
    if field is WEEKDAY and end in ("SUN", "SUNDAY") and low > 0:
        return 7
    return _parse_value(field, written, end)


def _parse_value(field: Field, written: str, value: str) -> int:
    number = int(value) if value.isdigit() else dict(field.names).get(value)
    if number is None:
        raise field.not_understood(written)
    if not field.low <= number <= field.high:
        raise field.error(
            written, say("is out of range; write {low} to {high}.", low=field.low, high=field.high)
        )
    return number


@lru_cache(maxsize=4096)
def _expand(field: Field, plain: str, hash_name: str) -> frozenset[int]:
    """Let croniter expand one item, in a text that has its seconds sixth, as croniter wants them."""
    place = _CRONITER_ORDER.index(field)
    fields = [plain if index == place else "*" for index in range(len(FIELDS))]
    try:
        values = croniter.expand(" ".join(fields), hash_id=hash_name.encode())[0][place]
    except CroniterError:
        raise field.not_understood(plain) from None
    if "*" in values:
        values = range(field.low, field.high + 1)
    return frozenset(_monday_first(value) if field is WEEKDAY else value for value in values)
