"""Which wall-clock readings an expression names, and how many lie between two of them.

Dates and times here are naive and belong to no zone; clock changes are the business of `slot_sources`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import isleap, monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import Enum
from functools import cache, lru_cache

SATURDAY, SUNDAY = 5, 6

# Written out: the names in `calendar` follow the process's locale.
WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Month:
    """One month of one year; `first_weekday` counts from Monday = 0."""

    year: int
    number: int
    first_weekday: int
    length: int

    @classmethod
    def of(cls, year: int, number: int) -> Month:
        """Read a month from the calendar."""
        return cls(year, number, *monthrange(year, number))

    def weekday(self, day: int) -> int:
        """Give a day's weekday, Monday = 0."""
        return (self.first_weekday + day - 1) % 7


@dataclass(frozen=True, slots=True)
class LastDay:
    """The last day of the month: cron `L`, APScheduler `last`."""

    def day_in(self, month: Month) -> int | None:
        """Give the day it names in a month."""
        return month.length


@dataclass(frozen=True, slots=True)
class LastWorkday:
    """The last Monday to Friday of the month: `LW`."""

    def day_in(self, month: Month) -> int | None:
        """Give the day it names in a month."""
        return month.length - max(0, month.weekday(month.length) - 4)


@dataclass(frozen=True, slots=True)
class NearestWorkday:
    """The Monday to Friday nearest to a day of the same month: `15W`; none where the month lacks the day."""

    day: int

    def day_in(self, month: Month) -> int | None:
        """Give the day it names in a month."""
        if self.day > month.length:
            return None
        weekday = month.weekday(self.day)
        if weekday == SATURDAY:
            return self.day - 1 if self.day > 1 else self.day + 2
        if weekday == SUNDAY:
            return self.day + 1 if self.day < month.length else self.day - 2
        return self.day


@dataclass(frozen=True, slots=True)
class NthWeekday:
    """The nth (1 to 5) given weekday of the month, Monday = 0: `5#3`, `1st mon`; none where it lacks one."""

    weekday: int
    nth: int

    def day_in(self, month: Month) -> int | None:
        """Give the day it names in a month."""
        day = (self.weekday - month.first_weekday) % 7 + 1 + 7 * (self.nth - 1)
        return day if day <= month.length else None


@dataclass(frozen=True, slots=True)
class LastWeekday:
    """The last given weekday of the month, Monday = 0: `L5`, `last fri`."""

    weekday: int

    def day_in(self, month: Month) -> int | None:
        """Give the day it names in a month."""
        return month.length - (month.weekday(month.length) - self.weekday) % 7


Pick = LastDay | LastWorkday | NearestWorkday | NthWeekday | LastWeekday


@dataclass(frozen=True, slots=True)
class DaySet:
    """Days named by number (of the month, or of the week from Monday = 0) and by rule."""

    numbers: frozenset[int] = frozenset()
    picks: tuple[Pick, ...] = ()

    def picked_in(self, month: Month) -> set[int]:
        """Give the days that the rules name in a month."""
        return {day for pick in self.picks if (day := pick.day_in(month)) is not None}


class Combine(Enum):
    """How restricted dates and restricted weekdays go together."""

    EITHER = "either"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class DayNaming:
    """Which days of a month dates, weekdays and ISO weeks name together; None stands for every one."""

    dates: DaySet | None
    weekdays: DaySet | None
    weeks: frozenset[int] | None
    combine: Combine

    def days_of(self, month: Month) -> set[int]:
        """Give the days that dates and weekdays name."""
        every = range(1, month.length + 1)
        if self.dates is None and self.weekdays is None:
            return set(every)
        by_weekday = self._by_weekday(month)
        if self.dates is None:
            return by_weekday
        by_date = self.dates.picked_in(month) | self.dates.numbers.intersection(every)
        if self.weekdays is None:
            return by_date
        return by_date | by_weekday if self.combine is Combine.EITHER else by_date & by_weekday

    def _by_weekday(self, month: Month) -> set[int]:
        if self.weekdays is None:
            return set()
        numbers = self.weekdays.numbers
        days = {day for day in range(1, month.length + 1) if month.weekday(day) in numbers}
        return days | self.weekdays.picked_in(month)


@dataclass(frozen=True, slots=True)
class DayRule:
    """Which dates an expression names; None stands for every one."""

    dates: DaySet | None = None
    weekdays: DaySet | None = None
    months: frozenset[int] = frozenset(range(1, 13))
    years: frozenset[int] | None = None
    weeks: frozenset[int] | None = None
    combine: Combine = Combine.EITHER

    def days_in(self, year: int, number: int) -> tuple[int, ...]:
        """List the days of one month, ascending."""
        if number not in self.months or (self.years is not None and year not in self.years):
            return ()
        return _days_in(self.naming, find_twin(year), number)

    @property
    def naming(self) -> DayNaming:
        """What is left of the rule in a month that it names."""
        return DayNaming(self.dates, self.weekdays, self.weeks, self.combine)


@lru_cache(maxsize=4096)
def _days_in(naming: DayNaming, year: int, number: int) -> tuple[int, ...]:
    days = naming.days_of(Month.of(year, number))
    if naming.weeks is not None:
        days = {day for day in days if date(year, number, day).isocalendar().week in naming.weeks}
    return tuple(sorted(days))


def find_twin(year: int) -> int:
    """Find a year from 2000 on with the same calendar, ISO weeks included: there are 21 kinds of years."""
    return _find_year(date(year, 1, 1).weekday(), isleap(year), isleap(year - 1))


@cache
def _find_year(weekday: int, is_leap: bool, follows_leap: bool) -> int:  # noqa: FBT001 - what a calendar is
    kind = (weekday, is_leap, follows_leap)
    return next(
        year
        for year in range(2000, 2400)
        if (date(year, 1, 1).weekday(), isleap(year), isleap(year - 1)) == kind
    )


@dataclass(frozen=True, slots=True)
class TimesOfDay:
    """Every combination of the hours, minutes and seconds, each ascending; a rank counts from midnight."""

    hours: tuple[int, ...]
    minutes: tuple[int, ...] = (0,)
    seconds: tuple[int, ...] = (0,)

    def __len__(self) -> int:
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    def rank(self, at: time) -> int:
        """Count the times before `at`."""
        per_hour = len(self.minutes) * len(self.seconds)
        hours = bisect_left(self.hours, at.hour)
        if at.hour not in self.hours[hours : hours + 1]:
            return hours * per_hour
        minutes = bisect_left(self.minutes, at.minute)
        rank = hours * per_hour + minutes * len(self.seconds)
        if at.minute not in self.minutes[minutes : minutes + 1]:
            return rank
        return rank + bisect_left(self.seconds, at.second)

    def at(self, rank: int) -> time:
        """Give the time of a rank, 0 to len - 1."""
        rank, second = divmod(rank, len(self.seconds))
        hour, minute = divmod(rank, len(self.minutes))
        return time(self.hours[hour], self.minutes[minute], self.seconds[second])


@dataclass(frozen=True, slots=True)
class WallClock:
    """The readings an expression names; ranges are whole seconds, low to before high."""

    times: TimesOfDay
    days: DayRule = field(default_factory=DayRule)

    def first(self, low: datetime, high: datetime) -> datetime | None:
        """Find the first reading in [low, high)."""
        for day, start, stop in self._days(low, high):
            if start < stop:
                return datetime.combine(day, self.times.at(start))
        return None

    def count(self, low: datetime, high: datetime) -> int:
        """Count the readings in [low, high); the cost grows with the days, not with the readings."""
        return sum(max(0, stop - start) for _, start, stop in self._days(low, high))

    def newest(self, low: datetime, high: datetime, limit: int) -> list[datetime]:
        """List the last `limit` readings in [low, high), newest first."""
        found: list[datetime] = []
        for day, start, stop in self._days_back(low, high):
            if len(found) >= limit:
                break
            ranks = range(stop - 1, max(start, stop - limit + len(found)) - 1, -1)
            found.extend(datetime.combine(day, self.times.at(rank)) for rank in ranks)
        return found

    def _days(self, low: datetime, high: datetime) -> Iterator[tuple[date, int, int]]:
        """Walk the days with the ranks that lie in [low, high)."""
        for year, month in _months(low, high):
            days = self.days.days_in(year, month)
            for day in days[_skipped(days, year, month, low) :]:
                found = date(year, month, day)
                if found > high.date():
                    return
                yield found, *self._ranks(found, low, high)

    def _days_back(self, low: datetime, high: datetime) -> Iterator[tuple[date, int, int]]:
        for year, month in _months_back(low, high):
            days = self.days.days_in(year, month)
            reached = bisect_right(days, high.day) if (high.year, high.month) == (year, month) else None
            for day in reversed(days[_skipped(days, year, month, low) : reached]):
                found = date(year, month, day)
                yield found, *self._ranks(found, low, high)

    def _ranks(self, day: date, low: datetime, high: datetime) -> tuple[int, int]:
        start = self.times.rank(low.time()) if day == low.date() else 0
        stop = self.times.rank(high.time()) if day == high.date() else len(self.times)
        return start, stop


def _months(low: datetime, high: datetime) -> Iterator[tuple[int, int]]:
    """Walk the months of [low, high), one by one: most answers lie in the first."""
    if low < high:
        for index in range(_month_index(low), _month_index(high) + 1):
            yield index // 12, index % 12 + 1


def _months_back(low: datetime, high: datetime) -> Iterator[tuple[int, int]]:
    if low < high:
        for index in range(_month_index(high), _month_index(low) - 1, -1):
            yield index // 12, index % 12 + 1


def _month_index(instant: datetime) -> int:
    return instant.year * 12 + instant.month - 1


def _skipped(days: Sequence[int], year: int, month: int, low: datetime) -> int:
    """Count the days of a month that lie before `low`."""
    return bisect_left(days, low.day) if (low.year, low.month) == (year, month) else 0
