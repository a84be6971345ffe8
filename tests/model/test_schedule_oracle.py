"""The clock against a brute-force oracle that looks at every minute or second and shares no code with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from hypothesis import given, settings
from hypothesis import strategies as st

from sundial_clock.schedule import CompiledSchedule, compile_schedule
from sundial_clock.spec import DstPolicy, Schedule
from sundial_clock.zones import load_zone

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)

# Zone and a date near a clock change; the walk covers the days around it.
CHANGES = [
    ("Africa/Cairo", "2026-04-23"),  # 24 April 00:00 -> 01:00
    ("Africa/Cairo", "2026-10-29"),  # 29 October 24:00 -> 23:00
    ("Africa/Casablanca", "2026-02-14"),  # Ramadan: 15 February 03:00 -> 02:00
    ("Africa/Casablanca", "2026-03-21"),  # 22 March 02:00 -> 03:00
    ("America/Asuncion", "2024-03-23"),  # 24 March 00:00 -> 23:00
    ("America/Havana", "2026-03-07"),  # 8 March 00:00 -> 01:00
    ("America/Havana", "2025-11-01"),  # 2 November 01:00 -> 00:00
    ("America/New_York", "2026-03-07"),  # 8 March 02:00 -> 03:00
    ("America/New_York", "2026-10-31"),  # 1 November 02:00 -> 01:00
    ("America/Santiago", "2026-09-05"),  # 5 September 24:00 -> 6 September 01:00
    ("America/Santiago", "2026-04-04"),  # 4 April 24:00 -> 23:00
    ("America/Sao_Paulo", "2018-11-03"),  # 4 November 00:00 -> 01:00
    ("America/Sao_Paulo", "2018-02-17"),  # 17 February 24:00 -> 23:00
    ("America/Scoresbysund", "2024-03-30"),  # leaves -01:00 for -02:00 on the day it goes to summer time
    ("America/Nuuk", "2025-03-29"),  # 29 March 23:00 -> 30 March 00:00
    ("America/St_Johns", "2011-03-12"),  # 13 March 00:01 -> 01:01
    ("America/St_Johns", "2026-10-31"),
    ("Antarctica/Troll", "2026-03-28"),  # 29 March 01:00 -> 03:00
    ("Antarctica/Troll", "2026-10-24"),  # 25 October 03:00 -> 01:00
    ("Asia/Gaza", "2026-03-27"),
    ("Asia/Gaza", "2026-10-23"),
    ("Asia/Kathmandu", "1985-12-31"),  # 1 January 00:00 -> 00:15
    ("Asia/Kolkata", "2026-03-28"),
    ("Asia/Pyongyang", "2018-05-04"),  # 4 May 23:30 -> 5 May 00:00
    ("Asia/Tehran", "2022-03-21"),  # 22 March 00:00 -> 01:00
    ("Asia/Tehran", "2022-09-21"),  # 21 September 24:00 -> 23:00
    ("Australia/Lord_Howe", "2026-04-04"),  # 5 April 02:00 -> 01:30
    ("Australia/Lord_Howe", "2026-10-03"),  # 4 October 02:00 -> 02:30
    ("Europe/Berlin", "2026-03-28"),  # 29 March 02:00 -> 03:00
    ("Europe/Berlin", "2026-10-24"),  # 25 October 03:00 -> 02:00
    ("Europe/Dublin", "2026-03-28"),  # summer is its standard time: the saving in winter is negative
    ("Europe/Dublin", "2026-10-24"),
    ("Pacific/Apia", "2011-12-29"),  # 30 December does not exist
    ("Pacific/Auckland", "2026-04-04"),
    ("Pacific/Chatham", "2026-09-26"),  # 27 September 02:45 -> 03:45
    ("Pacific/Chatham", "2026-04-04"),  # 5 April 03:45 -> 02:45
    ("Pacific/Kwajalein", "1993-08-20"),  # 21 August does not exist
]


def field(low: int, high: int) -> st.SearchStrategy[str]:
    """Write a cron field: a value, a list, a range, `*`, or a step over one of them."""
    value = st.integers(low, high)
    span = st.tuples(value, value).map(lambda ends: f"{min(ends)}-{max(ends)}")
    start = st.one_of(st.just("*"), value.map(str), span)
    step = st.tuples(start, st.integers(1, 30)).map(lambda parts: f"{parts[0]}/{parts[1]}")
    part = st.one_of(value.map(str), span)
    listed = st.lists(part, min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), value.map(str), listed, step)


times = st.one_of(
    st.tuples(field(0, 59), field(0, 3)),
    st.tuples(field(0, 59), field(0, 23)),
    st.tuples(
        st.sampled_from(["0", "30", "15,45", "*/15"]),
        st.sampled_from(["*", "0", "1", "2", "23", "1-3", "*/2"]),
    ),
)
weekdays = st.one_of(field(0, 6), st.sampled_from(["7", "5-7", "0,7", "1-7/2", "2,7"]))
days = st.one_of(
    st.just("* * *"),
    st.tuples(st.just("*"), st.just("*"), weekdays).map(" ".join),
    st.tuples(field(1, 31), field(1, 12), weekdays).map(" ".join),
)
expressions = st.tuples(times, days).map(lambda parts: f"{parts[0][0]} {parts[0][1]} {parts[1]}")


def values_of(text: str, low: int, high: int) -> set[int]:
    """Read a field the slow way; weekday 7 is Sunday, but a step without an end stops at Saturday."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = (f"{low}-{high}" if span == "*" else span).partition("-")
        end = last or (str(high) if step else first)
        found.update(range(int(first), int(end) + 1, int(step or 1)))
    return found


@dataclass(frozen=True)
class Oracle:
    """Says of every reading of the wall clock whether an expression of 5 or 6 plain fields names it."""

    text: str

    def fields(self) -> list[str]:
        parts = self.text.split()
        return parts if len(parts) == 6 else ["0", *parts]

    def values(self) -> list[set[int]]:
        bounds = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
        return [values_of(part, low, high) for part, (low, high) in zip(self.fields(), bounds, strict=True)]

    def matcher(self) -> Callable[[datetime], bool]:
        second, minute, hour, day, month, weekday = self.values()
        is_or = not {self.fields()[3], self.fields()[5]} & {"*", "*/1"}

        def matches(wall: datetime) -> bool:
            if wall.minute not in minute or wall.hour not in hour or wall.second not in second:
                return False
            by_day, by_weekday = (
                wall.day in day,
                not weekday.isdisjoint({wall.isoweekday(), wall.isoweekday() % 7}),
            )
            return wall.month in month and ((by_day or by_weekday) if is_or else (by_day and by_weekday))

        return matches

    def is_made_up(self, dst: DstPolicy) -> bool:
        return dst is DstPolicy.ONCE and not any(part[0] == "*" or "/" in part for part in self.fields()[1:3])

    def slots(self, readings: Sequence[Reading], dst: DstPolicy) -> list[datetime]:
        matches, is_made_up = self.matcher(), self.is_made_up(dst)
        found = []
        for reading in readings:
            fires = matches(reading.wall) and not (is_made_up and reading.is_again)
            if fires or (is_made_up and any(map(matches, reading.lost))):
                found.append(reading.instant)
        return found


@dataclass(frozen=True)
class Reading:
    """What the wall clock shows at an instant, whether it did so before, and what it has just left out."""

    instant: datetime
    wall: datetime
    is_again: bool
    lost: tuple[datetime, ...]


@lru_cache(maxsize=64)
def readings_after(zone: str, low: datetime, steps: int, grain: timedelta) -> list[Reading]:
    """Read the clock at each grain after `low`; a day before it counts as seen."""
    before = timedelta(hours=30) // grain
    walls = [wall_at(zone, low + grain * step) for step in range(-before, steps + 1)]
    found, seen = [], set(walls[: before + 1])
    for step in range(1, steps + 1):
        wall, previous = walls[before + step], walls[before + step - 1]
        lost = tuple(previous + grain * k for k in range(1, max(1, (wall - previous) // grain)))
        found.append(Reading(low + grain * step, wall, wall in seen, lost))
        seen.add(wall)
    return found


def wall_at(zone: str, instant: datetime) -> datetime:
    return instant.astimezone(load_zone(zone)).replace(tzinfo=None)


def compiled(text: str, zone: str, dst: DstPolicy) -> CompiledSchedule:
    spec = Schedule(cron=text, time_zone=zone, dst=dst)
    return compile_schedule(spec, name="team/job", created_at=datetime(2000, 1, 1, tzinfo=UTC))


def walk(schedule: CompiledSchedule, low: datetime, high: datetime) -> list[datetime]:
    found, at = [], schedule.next_slot(low)
    while at is not None and at <= high:
        found.append(at)
        at = schedule.next_slot(at)
    return found


def assert_same(text: str, zone: str, dst: DstPolicy, readings: Sequence[Reading], grain: timedelta) -> None:
    low, high = readings[0].instant - grain, readings[-1].instant
    schedule, expected = compiled(text, zone, dst), Oracle(text).slots(readings, dst)
    assert walk(schedule, low, high) == expected
    assert schedule.count_slots(low, high) == len(expected)
    assert schedule.latest_slots(low, high, 7) == expected[-7:]
    middle = readings[len(readings) // 2].instant
    assert schedule.next_slot(middle) == next(
        (slot for slot in expected if slot > middle), schedule.next_slot(high)
    )


@settings(max_examples=150, deadline=None)
@given(text=expressions, change=st.sampled_from(CHANGES), dst=st.sampled_from(DstPolicy))
def test_every_minute_around_a_clock_change(text: str, change: tuple[str, str], dst: DstPolicy) -> None:
    zone, date = change
    low = datetime.fromisoformat(f"{date}T00:00:00Z") - timedelta(hours=8)
    assert_same(text, zone, dst, readings_after(zone, low, 48 * 60, MINUTE), MINUTE)


@settings(max_examples=40, deadline=None)
@given(second=field(0, 59), text=expressions, change=st.sampled_from(CHANGES), dst=st.sampled_from(DstPolicy))
def test_every_second_of_the_hours_around_a_clock_change(
    second: str, text: str, change: tuple[str, str], dst: DstPolicy
) -> None:
    zone, date = change
    low = changes_at(zone, datetime.fromisoformat(f"{date}T00:00:00Z")) - timedelta(minutes=31, seconds=7)
    assert_same(f"{second} {text}", zone, dst, readings_after(zone, low, 100 * 60, SECOND), SECOND)


def changes_at(zone: str, low: datetime) -> datetime:
    """Find the first minute near `low` whose offset differs from the one before; `low` if none does."""
    offsets = [(low + MINUTE * step).astimezone(load_zone(zone)).utcoffset() for step in range(-600, 2880)]
    changed = (step for step in range(1, len(offsets)) if offsets[step] != offsets[step - 1])
    return low + MINUTE * (next(changed, 600) - 600)
