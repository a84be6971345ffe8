"""A schedule in plain English, said from the values that it compiled to: words cannot differ from slots."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime

from sundial_clock.grouping import find_only_step, find_period, is_row, split_rows
from sundial_clock.slot_sources import Expression
from sundial_clock.spec import Interval
from sundial_clock.wallclock import (
    MONTH_NAMES,
    WEEKDAY_NAMES,
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

_NTH = ("first", "second", "third", "fourth", "fifth")
MOST_TIMES = 6
MOST_PARTS = 12
MOST_PICKS = 3
LONGEST = 380  # leaves room for the zone (64) and the window (57) within 512 characters


def describe_at(at: datetime) -> str:
    """Describe one instant, naive UTC."""
    return f"Once at {_instant(at)}"


def describe_interval(interval: Interval, anchor: datetime | None) -> str:
    """Describe a period as it was written, and its anchor (naive UTC) if one was given."""
    parts = [(value, unit) for unit, value in asdict(interval).items() if value]
    if len(parts) == 1 and parts[0][0] == 1:
        text = f"Every {parts[0][1].removesuffix('s')}"
    else:
        text = "Every " + _join(
            f"{value} {unit.removesuffix('s') if value == 1 else unit}" for value, unit in parts
        )
    return text if anchor is None else f"{text} from {_instant(anchor)}"


def describe_window(starts_at: datetime | None, ends_at: datetime | None) -> str:
    """Describe a window, naive UTC, as it follows a schedule."""
    start = f", from {starts_at:%Y-%m-%d %H:%M:%S} UTC" if starts_at else ""
    return start + (f", until {ends_at:%Y-%m-%d %H:%M:%S} UTC" if ends_at else "")


def describe_expression(expression: Expression, zone: str) -> str:
    """Describe a wall-clock expression; the zone follows in brackets."""
    times, days = expression.wall.times, expression.wall.days
    parts = [_describe_times(times), *_describe_days(days)]
    if len(parts) == 1 and parts[0][:2] == "At" and parts[0][3].isdigit():
        parts.append("every day")
    text = ", ".join(parts)
    return f"{text if len(text) <= LONGEST else text[:LONGEST] + '...'} ({zone})"


def _instant(at: datetime) -> str:
    return f"{at.isoformat(sep=' ')} UTC"


def _describe_times(times: TimesOfDay) -> str:
    if len(times) <= MOST_TIMES:
        return "At " + _join(_clock(times, rank) for rank in range(len(times)))
    if times.seconds == (0,):
        return _describe_minutes(times)
    seconds = _every(times.seconds, 60, "second") or f"at {_of('second', times.seconds)}"
    rest = _within(times)
    return _capital(seconds if not rest else f"{seconds} {rest}")


def _clock(times: TimesOfDay, rank: int) -> str:
    return f"{times.at(rank):%H:%M}" if times.seconds == (0,) else f"{times.at(rank):%H:%M:%S}"


def _describe_minutes(times: TimesOfDay) -> str:
    if len(times.minutes) == 1 and is_row(times.hours) and len(times.hours) < 24:
        return f"Every hour from {_clock(times, 0)} to {_clock(times, len(times) - 1)}"
    if times.minutes == (0,) and (hours := _every(times.hours, 24, "hour")):
        return _capital(hours)
    if minutes := _every(times.minutes, 60, "minute"):
        return _capital(f"{minutes} {_within_hours(times.hours)}".rstrip())
    return f"At {_of('minute', times.minutes)} {_within_hours(times.hours) or 'of every hour'}"


def _within(times: TimesOfDay) -> str:
    minutes = "" if len(times.minutes) == 60 else f"of {_of('minute', times.minutes)}"
    hours = _within_hours(times.hours)
    return " ".join(part for part in (minutes, hours or ("of every hour" if minutes else "")) if part)


def _within_hours(hours: tuple[int, ...]) -> str:
    if len(hours) == 24:
        return ""
    if is_row(hours):
        return f"from {hours[0]:02}:00 to {hours[-1]:02}:59"
    return f"of {_of('hour', hours)}"


def _every(values: tuple[int, ...], size: int, unit: str) -> str:
    """Say `every n units` if the values really recur every n, across the end of the field too."""
    step = find_period(values, size)
    if step is None:
        return ""
    every = f"every {unit}" if step == 1 else f"every {step} {unit}s"
    return every if values[0] == 0 else f"{every} from {unit} {values[0]}"


def _describe_days(days: DayRule) -> list[str]:
    parts = [_describe_dates_and_weekdays(days)]
    if days.weeks is not None:
        parts.append(f"in ISO {_of('week', sorted(days.weeks))}")
    if len(days.months) < 12:
        parts.append(f"in {_runs(sorted(days.months), lambda month: MONTH_NAMES[month - 1])}")
    if days.years is not None:
        parts.append(f"in {_runs(sorted(days.years), str)}")
    return [part for part in parts if part]


def _describe_dates_and_weekdays(days: DayRule) -> str:
    dates = "" if days.dates is None else f"on {_dates(days.dates)}"
    weekdays = "" if days.weekdays is None else _weekdays(days.weekdays)
    if not dates and weekdays.startswith("the "):
        return f"on {weekdays}"
    if not dates or not weekdays:
        return dates or weekdays
    return (
        f"{dates} or on {weekdays}" if days.combine is Combine.EITHER else f"{dates}, but only on {weekdays}"
    )


def _dates(days: DaySet) -> str:
    parts = [f"{_runs(sorted(days.numbers), _ordinal, 'the ')} of the month"] if days.numbers else []
    return _join([*parts, *_picks(days.picks)])


def _weekdays(days: DaySet) -> str:
    parts = [_runs(sorted(days.numbers), WEEKDAY_NAMES.__getitem__)] if days.numbers else []
    return _join([*parts, *_picks(days.picks)])


def _picks(picks: tuple[Pick, ...]) -> list[str]:
    more = len(picks) - MOST_PICKS
    named = [_pick(pick) for pick in picks[: MOST_PICKS if more > 1 else None]]
    return [*named, f"{more} more"] if more > 1 else named


def _pick(pick: Pick) -> str:
    match pick:
        case LastDay():
            return "the last day of the month"
        case LastWorkday():
            return "the last working day (Monday to Friday) of the month"
        case NearestWorkday(day):
            return f"the working day (Monday to Friday) nearest the {_ordinal(day)} of the month"
        case NthWeekday(weekday, nth):
            return f"the {_NTH[nth - 1]} {WEEKDAY_NAMES[weekday]} of the month"
        case LastWeekday(weekday):
            return f"the last {WEEKDAY_NAMES[weekday]} of the month"


def _ordinal(day: int) -> str:
    ending = "th" if day % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _of(unit: str, values: Iterable[int]) -> str:
    numbers = list(values)
    return f"{unit if len(numbers) == 1 else unit + 's'} {_runs(numbers, str)}"


def _runs(values: list[int], name: Callable[[int], str], article: str = "") -> str:
    """Name ascending values, three or more in a row as a range; a long list is shortened."""
    parts = [part for run in split_rows(values) for part in _run(run, name, article)]
    more = len(parts) - MOST_PARTS
    step = find_only_step(values)
    if more > 0 and step is not None:
        return f"{name(values[0])} to {name(values[-1])} in steps of {step}"
    return _join([*parts[:MOST_PARTS], f"{more} more"] if more > 1 else parts)


def _run(run: list[int], name: Callable[[int], str], article: str) -> list[str]:
    if len(run) > 2:
        return [f"{article}{name(run[0])} to {name(run[-1])}"]
    return [article + name(value) for value in run]


def _join(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
