"""What APScheduler's cron fields name: Monday is 0, day and weekday must both match.

As APScheduler 3's CronTrigger reads them, except that what it
skips silently (`FRI#2`) is refused. Clock changes are left to `slot_sources`.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from functools import lru_cache

from sundial_clock.errors import ScheduleError, quoted
from sundial_clock.sentences import Sentence, say
from sundial_clock.slot_sources import Expression
from sundial_clock.spec import CronFields
from sundial_clock.wallclock import (
    MONTH_NAMES,
    WEEKDAY_NAMES,
    Combine,
    DayRule,
    DaySet,
    LastDay,
    LastWeekday,
    NthWeekday,
    Pick,
    TimesOfDay,
    WallClock,
)

MAX_FIELD_CHARS = 256
FIELD = "schedule.cronFields"

_MONTHS = tuple(name[:3].lower() for name in MONTH_NAMES)
_WEEKDAYS = tuple(name[:3].lower() for name in WEEKDAY_NAMES)
_POSITIONS = ("1st", "2nd", "3rd", "4th", "5th")


@dataclass(frozen=True, slots=True)
class NamedField:
    """One of APScheduler's fields: its bounds, what it is below the smallest field given, an example."""

    name: str
    low: int
    high: int
    smallest: str
    example: str
    names: tuple[str, ...] = ()

    def error(self, text: str, advice: Sentence) -> ScheduleError:
        """Say what is wrong with this field."""
        sentence = say("{field} {text} {advice}", field=self.name, text=quoted(text), advice=advice)
        return ScheduleError(f"{FIELD}.{self.name}", sentence)

    def not_understood(self, text: str) -> ScheduleError:
        """Say that this field cannot be read."""
        return self.error(
            text, say("is not understood; write something like {example}.", example=self.example)
        )


YEAR = NamedField("year", 1970, 9999, "*", "2027 or 2027-2030")
DAY = NamedField("day", 1, 31, "1", "1, 1,15, last, last fri or 1st mon")
FIELDS = (
    YEAR,
    NamedField("month", 1, 12, "1", "1, jan or jan-jun", _MONTHS),
    DAY,
    NamedField("week", 1, 53, "*", "1, */2 or 10-20"),
    NamedField("dayOfWeek", 0, 6, "*", "mon-fri, sat,sun or 0 (Monday)", _WEEKDAYS),
    NamedField("hour", 0, 23, "0", "9, */2 or 9-17"),
    NamedField("minute", 0, 59, "0", "0, */15 or 5-10"),
    NamedField("second", 0, 59, "0", "0, */10 or 15,45"),
)

_KEYS = {"day_of_week": "dayOfWeek"}  # where a field of CronFields is called otherwise

_ALL = re.compile(r"\*(?:/(?P<step>[0-9]+))?")
_RANGE = re.compile(r"(?P<low>[0-9]+)(?:-(?P<high>[0-9]+))?(?:/(?P<step>[0-9]+))?")
_NAMES = re.compile(r"(?P<low>[a-z]+)(?:-(?P<high>[a-z]+))?")
_POSITION = re.compile(r"(?P<position>1st|2nd|3rd|4th|5th|last) +(?P<weekday>[a-z]+)")


@dataclass(frozen=True, slots=True)
class NamedFieldReading:
    """One field's values; `is_all` when nothing is restricted."""

    numbers: frozenset[int]
    picks: tuple[Pick, ...] = ()
    is_all: bool = False

    def day_set(self) -> DaySet | None:
        """Give the days as a restriction, or None."""
        return None if self.is_all else DaySet(self.numbers, self.picks)


def parse_cron_fields(fields: CronFields) -> Expression:
    """Read APScheduler's fields. Raises ScheduleError, whose field ends with the bad one's name."""
    written = _fill_defaults(fields)
    readings = {field.name: _parse(field, written[field.name]) for field in FIELDS}
    hour, minute, second = (tuple(sorted(readings[name].numbers)) for name in ("hour", "minute", "second"))
    stepped = any(written[name].startswith("*") or "/" in written[name] for name in ("hour", "minute"))
    return Expression(WallClock(TimesOfDay(hour, minute, second), _build_days(readings)), stepped)


def _build_days(readings: dict[str, NamedFieldReading]) -> DayRule:
    return DayRule(
        dates=readings["day"].day_set(),
        weekdays=readings["dayOfWeek"].day_set(),
        months=readings["month"].numbers,
        years=None if readings["year"].is_all else readings["year"].numbers,
        weeks=None if readings["week"].is_all else readings["week"].numbers,
        combine=Combine.BOTH,
    )


def _fill_defaults(fields: CronFields) -> dict[str, str]:
    """Write out the fields left out: `*`, or the minimum for those smaller than the smallest one given."""
    given = {
        _KEYS.get(name, name): str(value).strip()
        for name, value in asdict(fields).items()
        if value is not None
    }
    if not given:
        raise ScheduleError(FIELD, say('no field is given; write at least one field, such as hour: "9".'))
    smallest = max(index for index, field in enumerate(FIELDS) if field.name in given)
    return {
        field.name: given.get(field.name, field.smallest if index > smallest else "*")
        for index, field in enumerate(FIELDS)
    }


def _parse(field: NamedField, written: str) -> NamedFieldReading:
    # Years are not kept: each reading may have thousands.
    return _parse_field(field, written) if field is YEAR else _parse_field_once(field, written)


@lru_cache(maxsize=4096)
def _parse_field_once(field: NamedField, written: str) -> NamedFieldReading:
    return _parse_field(field, written)


def _parse_field(field: NamedField, written: str) -> NamedFieldReading:
    if len(written) > MAX_FIELD_CHARS:
        raise field.error(
            written,
            say(
                "is {length} characters long; write at most {limit}.",
                length=len(written),
                limit=MAX_FIELD_CHARS,
            ),
        )
    parts = [_parse_item(field, item) for item in re.split(" *, *", written.lower())]
    numbers = frozenset().union(*(part.numbers for part in parts))
    return NamedFieldReading(
        numbers, tuple(pick for part in parts for pick in part.picks), any(part.is_all for part in parts)
    )


def _parse_item(field: NamedField, item: str) -> NamedFieldReading:
    if (match := _ALL.fullmatch(item)) is not None:
        values = _stepped(field, item, range(field.low, field.high + 1), match["step"])
        return NamedFieldReading(frozenset(values), is_all=values.step == 1)
    if (match := _RANGE.fullmatch(item)) is not None:
        return NamedFieldReading(frozenset(_parse_range(field, item, match)))
    if field is DAY:
        return NamedFieldReading(frozenset(), (_parse_day_pick(item),))
    if field.names and (match := _NAMES.fullmatch(item)) is not None:
        return NamedFieldReading(frozenset(_parse_names(field, item, match)))
    raise field.not_understood(item)


def _parse_range(field: NamedField, item: str, match: re.Match[str]) -> range:
    low = int(match["low"])
    high = int(match["high"]) if match["high"] else (field.high if match["step"] else low)
    if low < field.low or max(low, high) > field.high:
        raise field.error(
            item, say("is out of range; write {low} to {high}.", low=field.low, high=field.high)
        )
    return _stepped(field, item, _growing(field, item, low, high), match["step"])


def _parse_names(field: NamedField, item: str, match: re.Match[str]) -> range:
    names = [name for name in (match["low"], match["high"]) if name]
    unknown = next((name for name in names if name not in field.names), None)
    if unknown is not None:
        raise field.not_understood(item)
    numbers = [field.names.index(name) + field.low for name in names]
    return _growing(field, item, numbers[0], numbers[-1])


def _growing(field: NamedField, item: str, low: int, high: int) -> range:
    if low > high:
        raise field.error(item, say("runs backwards; write it as two parts separated by a comma."))
    return range(low, high + 1)


def _stepped(field: NamedField, item: str, values: range, step: str | None) -> range:
    """Apply a step; APScheduler refuses one that is wider than its range, and so do we."""
    if step is None:
        return values
    # APScheduler takes a range that ends at 0 for one without an end; it is harmless to do the same.
    widest = (values[-1] or field.high) - values[0]
    if not 1 <= int(step) <= widest:
        raise field.error(
            item,
            say(
                "has the step {step}; write a step of 1 to {widest}.",
                step=quoted(int(step), 12),
                widest=widest,
            ),
        )
    return values[:: int(step)]


def _parse_day_pick(item: str) -> Pick:
    if item == "last":
        return LastDay()
    match = _POSITION.fullmatch(item)
    if match is None or match["weekday"] not in _WEEKDAYS:
        raise DAY.not_understood(item)
    weekday = _WEEKDAYS.index(match["weekday"])
    return (
        LastWeekday(weekday)
        if match["position"] == "last"
        else NthWeekday(weekday, 1 + _POSITIONS.index(match["position"]))
    )
