"""Which instants a compiled schedule names between two; windows and user text are left to `schedule`.

Everything here is naive UTC, and every range is low to before high.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from sundial_clock.spec import DstPolicy
from sundial_clock.wallclock import WallClock
from sundial_clock.zones import Stretch, stretches_back, stretches_between

_SECOND = timedelta(seconds=1)
_REACH = timedelta(days=2)
"""No slot is as far as this from the reading that it stands for: an offset is less than a day."""


class SlotSource(Protocol):
    """What every kind of schedule can tell about its slots in [low, high)."""

    def first(self, low: datetime, high: datetime) -> datetime | None:
        """Find the first slot."""

    def count(self, low: datetime, high: datetime) -> int:
        """Count the slots."""

    def newest(self, low: datetime, high: datetime, limit: int) -> list[datetime]:
        """List the last `limit` slots, oldest first."""


@dataclass(frozen=True, slots=True)
class Expression:
    """What a cron text or cron fields name on the wall, and whether a clock change finds it stepped."""

    wall: WallClock
    is_stepped: bool


@dataclass(frozen=True, slots=True)
class CalendarSlots:
    """The slots of a wall-clock expression in a zone.

    Under Once a fixed time lost in a gap fires at the gap's end, all those of one gap once, and a repeated
    time fires the first time. Literal and stepped expressions fire on what the clock really shows.
    """

    expression: Expression
    zone: ZoneInfo
    dst: DstPolicy

    def first(self, low: datetime, high: datetime) -> datetime | None:
        """Find the first slot; of the zone only what lies around readings is looked at."""
        low, high = _up(low), _up(high)
        while True:
            end = min(high, low + 3 * _REACH)
            if (slot := self._first_of(low, end)) is not None or end == high:
                return slot
            if (reading := self.expression.wall.first(end - _REACH, high + _REACH)) is None:
                return None
            low = max(end, reading - _REACH)

    def _first_of(self, low: datetime, high: datetime) -> datetime | None:
        for stretch in stretches_between(self.zone, low, high):
            if low <= stretch.since < high and self._makes_up(stretch):
                return stretch.start
            wall = self._walls(stretch, low, high)
            if (found := self.expression.wall.first(*wall)) is not None:
                return found - stretch.offset
        return None

    def count(self, low: datetime, high: datetime) -> int:
        """Count the slots."""
        low, high = _up(low), _up(high)
        total = 0
        for stretch in stretches_between(self.zone, low, high):
            made_up = low <= stretch.since < high and self._makes_up(stretch)
            total += made_up + self.expression.wall.count(*self._walls(stretch, low, high))
        return total

    def newest(self, low: datetime, high: datetime, limit: int) -> list[datetime]:
        """List the last `limit` slots, oldest first."""
        found: list[datetime] = []
        for slot in self._back(_up(low), _up(high), limit):
            if len(found) >= limit:
                break
            found.append(slot)
        return found[::-1]

    def _back(self, low: datetime, high: datetime, limit: int) -> Iterator[datetime]:
        for stretch in stretches_back(self.zone, low, high):
            walls = self.expression.wall.newest(*self._walls(stretch, low, high), limit)
            yield from (wall - stretch.offset for wall in walls)
            if low <= stretch.since < high and self._makes_up(stretch):
                yield stretch.start

    @property
    def _is_made_up(self) -> bool:
        return self.dst is DstPolicy.ONCE and not self.expression.is_stepped

    def _makes_up(self, stretch: Stretch) -> bool:
        """Say whether the stretch begins with a slot that stands only for times lost in the gap before it."""
        is_gap = stretch.offset > stretch.before and stretch.since == stretch.start
        if not is_gap or not self._is_made_up:
            return False
        wall, end = self.expression.wall, stretch.start + stretch.offset
        return wall.count(stretch.start + stretch.before, end) > 0 and wall.count(end, end + _SECOND) == 0

    def _walls(self, stretch: Stretch, low: datetime, high: datetime) -> tuple[datetime, datetime]:
        """Give the wall-clock range that may fire; Once leaves out readings seen before the stretch began."""
        start = max(low, stretch.start) + stretch.offset
        if self._is_made_up and stretch.before > stretch.offset:
            start = max(start, stretch.since + stretch.before)
        return start, min(high, stretch.end) + stretch.offset


@dataclass(frozen=True, slots=True)
class IntervalSlots:
    """anchor + k * period for k >= `first_k`; exact to the microsecond, without memory."""

    anchor: datetime
    period: timedelta
    first_k: int

    def first(self, low: datetime, high: datetime) -> datetime | None:
        """Find the first slot."""
        k, end = self._k(low), self._k(high)
        return self._slot(k) if k < end else None

    def count(self, low: datetime, high: datetime) -> int:
        """Count the slots."""
        return max(0, self._k(high) - self._k(low))

    def newest(self, low: datetime, high: datetime, limit: int) -> list[datetime]:
        """List the last `limit` slots, oldest first."""
        end = self._k(high)
        return [self._slot(k) for k in range(max(self._k(low), end - limit), end)]

    def _k(self, instant: datetime) -> int:
        """Number the first slot at or after an instant."""
        return max(self.first_k, -((self.anchor - instant) // self.period))

    def _slot(self, k: int) -> datetime:
        return self.anchor + k * self.period


@dataclass(frozen=True, slots=True)
class SingleSlot:
    """One instant."""

    at: datetime

    def first(self, low: datetime, high: datetime) -> datetime | None:
        """Find the first slot."""
        return self.at if low <= self.at < high else None

    def count(self, low: datetime, high: datetime) -> int:
        """Count the slots."""
        return int(low <= self.at < high)

    def newest(self, low: datetime, high: datetime, limit: int) -> list[datetime]:
        """List the last `limit` slots, oldest first."""
        return [self.at] if limit > 0 and low <= self.at < high else []


def _up(instant: datetime) -> datetime:
    """Round up to a whole second, the grain of the wall clock."""
    floor = instant.replace(microsecond=0)
    return floor if floor == instant else floor + _SECOND
