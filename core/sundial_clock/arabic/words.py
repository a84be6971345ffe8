"""A schedule in plain Arabic, said from the values that it compiled to, as `describe` says it in English.

Digits are Western. Times and numbers stand in Arabic text as they are; instants and zones are isolated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime

from sundial_clock.arabic.plurals import DAY, HOUR, MINUTE, SECOND, WEEK, Noun
from sundial_clock.describe import LONGEST, MOST_PARTS, MOST_PICKS, MOST_TIMES
from sundial_clock.grouping import find_only_step, find_period, is_row, split_rows
from sundial_clock.sentences import isolate
from sundial_clock.slot_sources import Expression
from sundial_clock.spec import Interval
from sundial_clock.wallclock import (
    Combine,
    DayRule,
    DaySet,
    LastDay,
    LastWeekday,
    LastWorkday,
    NearestWorkday,
    NthWeekday,
    Pick,
    TimesOfDay,
)

_UNITS = {"weeks": WEEK, "days": DAY, "hours": HOUR, "minutes": MINUTE, "seconds": SECOND}
_NTH = ("أول", "ثاني", "ثالث", "رابع", "خامس")
_WEEKDAYS = ("اثنين", "ثلاثاء", "أربعاء", "خميس", "جمعة", "سبت", "أحد")
_MONTHS = (
    *("يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو"),
    *("يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"),
)
_WORKDAYS = "(من الاثنين إلى الجمعة)"


def describe_at(at: datetime) -> str:
    """Describe one instant, naive UTC."""
    return f"مرة واحدة في {_instant(at)}"


def describe_interval(interval: Interval, anchor: datetime | None) -> str:
    """Describe a period as it was written, and its anchor (naive UTC) if one was given."""
    text = "كل " + _join(_UNITS[unit](value) for unit, value in asdict(interval).items() if value)
    return text if anchor is None else f"{text} بدءًا من {_instant(anchor)}"


def describe_expression(expression: Expression, zone: str) -> str:
    """Describe a wall-clock expression; the zone follows in brackets."""
    times, days = expression.wall.times, expression.wall.days
    parts = [_describe_times(times), *_describe_days(days)]
    if len(parts) == 1 and len(times) <= MOST_TIMES:
        parts.append("كل يوم")
    text = "، ".join(parts)
    return f"{text if len(text) <= LONGEST else text[:LONGEST] + '...'} ({isolate(zone)})"


def describe_window(starts_at: datetime | None, ends_at: datetime | None) -> str:
    """Describe a window, naive UTC, as it follows a schedule."""
    start = f"، من {_instant(starts_at.replace(microsecond=0))}" if starts_at else ""
    return start + (f"، حتى {_instant(ends_at.replace(microsecond=0))}" if ends_at else "")


def _instant(at: datetime) -> str:
    return isolate(f"{at.isoformat(sep=' ')} UTC")


def _describe_times(times: TimesOfDay) -> str:
    if len(times) <= MOST_TIMES:
        return "الساعة " + _join(_clock(times, rank) for rank in range(len(times)))
    if times.seconds == (0,):
        return _describe_minutes(times)
    seconds = _every(times.seconds, 60, SECOND, "الثانية")
    return f"{seconds or 'عند ' + _of(_SECONDS, times.seconds)} {_within(times)}".rstrip()


def _clock(times: TimesOfDay, rank: int) -> str:
    return f"{times.at(rank):%H:%M}" if times.seconds == (0,) else f"{times.at(rank):%H:%M:%S}"


def _describe_minutes(times: TimesOfDay) -> str:
    if len(times.minutes) == 1 and is_row(times.hours) and len(times.hours) < 24:
        return f"كل ساعة من {_clock(times, 0)} حتى {_clock(times, len(times) - 1)}"
    if times.minutes == (0,) and (hours := _every(times.hours, 24, HOUR, "الساعة")):
        return hours
    if minutes := _every(times.minutes, 60, MINUTE, "الدقيقة"):
        return f"{minutes} {_within_hours(times.hours)}".rstrip()
    return f"عند {_of(_MINUTES, times.minutes)} {_within_hours(times.hours) or 'من كل ساعة'}"


def _within(times: TimesOfDay) -> str:
    minutes = "" if len(times.minutes) == 60 else f"من {_of(_MINUTES, times.minutes)}"
    hours = _within_hours(times.hours)
    return " ".join(part for part in (minutes, hours or ("من كل ساعة" if minutes else "")) if part)


def _within_hours(hours: tuple[int, ...]) -> str:
    if len(hours) == 24:
        return ""
    if is_row(hours):
        return f"من {hours[0]:02}:00 حتى {hours[-1]:02}:59"
    return f"في {_of(_HOURS, hours)}"


def _every(values: tuple[int, ...], size: int, unit: Noun, named: str) -> str:
    step = find_period(values, size)
    if step is None:
        return ""
    every = f"كل {unit(step)}"
    return every if values[0] == 0 else f"{every} بدءًا من {named} {values[0]}"


def _describe_days(days: DayRule) -> list[str]:
    parts = [_describe_dates_and_weekdays(days)]
    if days.weeks is not None:
        parts.append(f"في {_of(_WEEKS, sorted(days.weeks))} بترقيم {isolate('ISO')}")
    if len(days.months) < 12:
        months = sorted(days.months)
        names = _list(months, lambda month: _MONTHS[month - 1])
        parts.append(f"في {names}" if len(months) == 1 else f"في أشهر {names}")
    if days.years is not None:
        parts.append(f"في {_of(_YEARS, sorted(days.years))}")
    return [part for part in parts if part]


def _describe_dates_and_weekdays(days: DayRule) -> str:
    dates = "" if days.dates is None else f"في {_dates(days.dates)}"
    if days.weekdays is None:
        return dates
    weekdays = _weekdays(days.weekdays)
    if not dates:
        return weekdays if days.weekdays.numbers else f"في {weekdays}"
    if days.combine is Combine.EITHER:
        return f"{dates} أو {weekdays if days.weekdays.numbers else f'في {weekdays}'}"
    one = "" if len(days.weekdays.numbers) == 1 else "أحد "
    return f"{dates}، على أن يكون {one}{weekdays}"


def _dates(days: DaySet) -> str:
    parts = [f"{_of(_DAYS, sorted(days.numbers))} من الشهر"] if days.numbers else []
    return _join([*parts, *_picks(days.picks)])


def _weekdays(days: DaySet) -> str:
    numbers = sorted(days.numbers)
    named = "يوم" if len(numbers) == 1 else "أيام"
    parts = [f"{named} {_list(numbers, lambda day: f'ال{_WEEKDAYS[day]}')}"] if numbers else []
    return _join([*parts, *_picks(days.picks)])


def _picks(picks: tuple[Pick, ...]) -> list[str]:
    more = len(picks) - MOST_PICKS
    named = [_pick(pick) for pick in picks[: MOST_PICKS if more > 1 else None]]
    return [*named, f"{more} غيرها"] if more > 1 else named


def _pick(pick: Pick) -> str:
    match pick:
        case LastDay():
            return "آخر يوم من الشهر"
        case LastWorkday():
            return f"آخر يوم عمل {_WORKDAYS} من الشهر"
        case NearestWorkday(day):
            return f"يوم العمل {_WORKDAYS} الأقرب إلى اليوم {day} من الشهر"
        case NthWeekday(weekday, nth):
            return f"{_NTH[nth - 1]} {_WEEKDAYS[weekday]} من الشهر"
        case LastWeekday(weekday):
            return f"آخر {_WEEKDAYS[weekday]} من الشهر"


_SECONDS = ("الثانية", "الثانيتين", "الثواني")
_MINUTES = ("الدقيقة", "الدقيقتين", "الدقائق")
_HOURS = ("الساعة", "الساعتين", "الساعات")
_DAYS = ("اليوم", "اليومين", "الأيام")
_WEEKS = ("الأسبوع", "الأسبوعين", "الأسابيع")
_YEARS = ("سنة", "سنتي", "السنوات")


def _of(unit: tuple[str, str, str], values: Iterable[int]) -> str:
    """Name numbered units, such as minutes 5 and 10: in the singular, the dual or the plural."""
    numbers = list(values)
    return f"{unit[min(len(numbers), 3) - 1]} {_list(numbers, str)}"


def _list(values: Sequence[int], name: Callable[[int], str]) -> str:
    """Name ascending values, three or more in a row as a range; a long list is shortened."""
    parts = [part for row in split_rows(values) for part in _name_row(row, name)]
    more = len(parts) - MOST_PARTS
    step = find_only_step(values)
    if more > 0 and step is not None:
        return f"{name(values[0])} إلى {name(values[-1])} بخطوة {step}"
    return _join([*parts[:MOST_PARTS], f"{more} غيرها"] if more > 1 else parts)


def _name_row(row: list[int], name: Callable[[int], str]) -> list[str]:
    if len(row) > 2:
        return [f"{name(row[0])} إلى {name(row[-1])}"]
    return [name(value) for value in row]


def _join(parts: Iterable[str]) -> str:
    return " و".join(parts)
