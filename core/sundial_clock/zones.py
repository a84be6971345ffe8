"""Which offset from UTC a zone has, and when it changes.

The data is the pinned `tzdata` package, never the system's, so that every replica and the command line agree.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from sundial_clock.errors import ScheduleError, quoted
from sundial_clock.sentences import Sentence, say

FIRST_YEAR = 1800
LAST_YEAR = 9990

# Changes of offset are looked for at this grain. No zone has ever had two within six days.
PROBE = timedelta(days=2)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time with one UTC offset; instants are naive UTC."""

    start: datetime
    """Included. Later than `since` when the stretch is cut at the turn of a year."""
    end: datetime
    """Not included."""
    since: datetime
    """When this offset replaced `before`."""
    before: timedelta
    """The offset until then."""
    offset: timedelta


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Name every zone of the pinned data."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo:
    """Load an IANA zone; a ScheduleError names the nearest one that exists."""
    if name not in zone_names():
        raise ScheduleError("schedule.timeZone", _unknown_zone(name))
    with resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def _unknown_zone(name: str) -> Sentence:
    near = difflib.get_close_matches(name[:64].lower(), {zone.lower() for zone in zone_names()}, n=1)
    meant = next((zone for zone in sorted(zone_names()) if near and zone.lower() == near[0]), "Europe/Berlin")
    if near:
        return say("{zone} is not an IANA time zone; did you mean {meant}?", zone=quoted(name), meant=meant)
    return say(
        "{zone} is not an IANA time zone; write a name like {meant} or UTC.", zone=quoted(name), meant=meant
    )


def offset_at(zone: ZoneInfo, instant: datetime) -> timedelta:
    """Read the zone's offset at a naive UTC instant."""
    offset = zone.fromutc(instant.replace(tzinfo=zone)).utcoffset()
    return offset if offset is not None else timedelta()


def stretches_between(zone: ZoneInfo, low: datetime, high: datetime) -> Iterator[Stretch]:
    """Walk forward through the stretches that meet [low, high), naive UTC; some end at a year's end."""
    for year in range(max(low.year, FIRST_YEAR), min(high.year, LAST_YEAR) + 1):
        for stretch in _stretches_of_year(zone, year):
            if stretch.end > low and stretch.start < high:
                yield stretch


def stretches_back(zone: ZoneInfo, low: datetime, high: datetime) -> Iterator[Stretch]:
    """Walk backward through the same stretches."""
    for year in range(min(high.year, LAST_YEAR), max(low.year, FIRST_YEAR) - 1, -1):
        for stretch in reversed(_stretches_of_year(zone, year)):
            if stretch.end > low and stretch.start < high:
                yield stretch


@lru_cache(maxsize=16384)
def _stretches_of_year(zone: ZoneInfo, year: int) -> tuple[Stretch, ...]:
    first, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)  # noqa: DTZ001 - naive UTC throughout
    # From a little earlier: readings may still be repeated when the year begins.
    sinces = [first - PROBE, *_changes(zone, first - PROBE, end)]
    ends = [*sinces[1:], end]
    befores = [offset_at(zone, since - _SECOND) for since in sinces]
    offsets = [offset_at(zone, since) for since in sinces]
    starts = [max(first, since) for since in sinces]
    stretches = map(Stretch, starts, ends, sinces, befores, offsets)
    return tuple(stretch for stretch in stretches if stretch.end > first)


def _changes(zone: ZoneInfo, first: datetime, end: datetime) -> Iterator[datetime]:
    """Find the instants after `first` and before `end` at which the offset changes."""
    low, offset = first, offset_at(zone, first)
    while low < end - _SECOND:
        high = min(low + PROBE, end - _SECOND)
        if (after := offset_at(zone, high)) != offset:
            yield _bisect_change(zone, low, high)
        low, offset = high, after


def _bisect_change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    offset = offset_at(zone, low)
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        low, high = (middle, high) if offset_at(zone, middle) == offset else (low, middle)
    return high
