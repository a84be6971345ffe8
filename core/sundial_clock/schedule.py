"""Which slots a schedule has: the next, the newest, how many. What becomes of a slot is left to decisions.

Every instant given or returned is aware; those returned are UTC. A schedule looks ten years ahead and no
further: a slot that comes later than that after the instant asked about does not exist for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sundial_clock import describe
from sundial_clock.arabic import words as arabic
from sundial_clock.cron import parse_cron
from sundial_clock.cron_fields import parse_cron_fields
from sundial_clock.errors import ScheduleError
from sundial_clock.instants import RESOLUTION
from sundial_clock.sentences import Language, say
from sundial_clock.slot_sources import (
    CalendarSlots,
    Expression,
    IntervalSlots,
    SingleSlot,
    SlotSource,
)
from sundial_clock.spec import Interval, Schedule
from sundial_clock.zones import FIRST_YEAR, LAST_YEAR, load_zone

__all__ = ["HORIZON_YEARS", "CompiledSchedule", "ScheduleError", "compile_schedule"]

HORIZON_YEARS = 10
LOOK_BACK = timedelta(days=3660)

_EARLIEST = datetime(FIRST_YEAR, 1, 2)  # noqa: DTZ001 - naive UTC inside
_LATEST = datetime(LAST_YEAR, 12, 31)  # noqa: DTZ001 - naive UTC inside


class Words(Protocol):
    """What says a schedule in a language; instants are naive UTC."""

    def describe_at(self, at: datetime) -> str:
        """Describe one instant."""

    def describe_interval(self, interval: Interval, anchor: datetime | None) -> str:
        """Describe a period, and its anchor if one was given."""

    def describe_expression(self, expression: Expression, zone: str) -> str:
        """Describe a wall-clock expression."""

    def describe_window(self, starts_at: datetime | None, ends_at: datetime | None) -> str:
        """Describe a window, as it follows a schedule."""


_WORDS: Mapping[Language, Words] = {Language.ENGLISH: describe, Language.ARABIC: arabic}
_KINDS = say("exactly one of cron, cronFields, interval and at must be set")


@dataclass(slots=True)
class _Lookahead:
    """The slots that were found last: all those in (after, slots[-1]]. Saves finding them again."""

    after: datetime | None = None
    slots: tuple[datetime, ...] = ()

    def list_after(self, after: datetime) -> list[datetime]:
        """List the known slots that follow an instant without a gap."""
        if self.after is None or after < self.after:
            return []
        return [slot for slot in self.slots if slot > after]

    def covers(self, after: datetime, until: datetime) -> bool:
        """Tell whether all slots in (after, until] are known."""
        return self.after is not None and self.after <= after and bool(self.slots) and until <= self.slots[-1]


@dataclass(frozen=True, slots=True)
class CompiledSchedule:
    """The slots of one schedule within its window, and the schedule in words."""

    source: SlotSource
    low: datetime
    high: datetime
    text: str
    _ahead: _Lookahead = field(default_factory=_Lookahead, compare=False, repr=False)

    def next_slot(self, after: datetime) -> datetime | None:
        """Find the first slot strictly after an instant; None if there is none in ten years or the window."""
        known = self._ahead.list_after(after)
        return known[0] if known else self._find_next(after)

    def slots_after(self, after: datetime, limit: int) -> list[datetime]:
        """List the next `limit` slots, each within ten years of the one before."""
        slots = self._ahead.list_after(after)
        if len(slots) >= limit:
            return slots[:limit]
        while len(slots) < limit and (slot := self._find_next(slots[-1] if slots else after)) is not None:
            slots.append(slot)
        self._ahead.after, self._ahead.slots = after, tuple(slots)
        return slots

    def previous_slot(self, before: datetime) -> datetime | None:
        """Find the last slot strictly before an instant; None if there is none in ten years or the window."""
        end = _naive(before)
        slots = self.source.newest(max(end - LOOK_BACK, self.low), min(end, self.high), 1)
        return slots[0].replace(tzinfo=UTC) if slots else None

    def is_slot(self, instant: datetime) -> bool:
        """Tell whether an instant is one of the slots."""
        start = _naive(instant)
        found = self.source.newest(max(start, self.low), min(start + RESOLUTION, self.high), 1)
        return bool(found) and found[0].replace(tzinfo=UTC) == instant

    def latest_slots(self, after: datetime, until: datetime, limit: int) -> list[datetime]:
        """List the newest `limit` slots in (after, until], oldest first."""
        if limit > 0 and self._ahead.covers(after, until):
            return [slot for slot in self._ahead.list_after(after) if slot <= until][-limit:]
        slots = self.source.newest(*self._clip(_naive(after), _naive(until)), limit)
        return [slot.replace(tzinfo=UTC) for slot in slots]

    def count_slots(self, after: datetime, until: datetime) -> int:
        """Count the slots in (after, until]; the cost grows with the days, not with the slots."""
        return self.source.count(*self._clip(_naive(after), _naive(until)))

    def _find_next(self, after: datetime) -> datetime | None:
        start = _naive(after)
        slot = self.source.first(*self._clip(start, _horizon(start)))
        return None if slot is None else slot.replace(tzinfo=UTC)

    def _clip(self, after: datetime, until: datetime) -> tuple[datetime, datetime]:
        """Turn (after, until] into [low, high) within the window."""
        return max(after + RESOLUTION, self.low), min(until + RESOLUTION, self.high)


def compile_schedule(
    spec: Schedule, *, name: str, created_at: datetime, language: Language = Language.ENGLISH
) -> CompiledSchedule:
    """Compile a schedule; `name` is namespace/name, `created_at` anchors an interval without an anchor.

    Raises ScheduleError with the path of the bad field.
    """
    _check_shape(spec)
    words = _WORDS[language]
    starts_at = _instant(spec.starts_at, "startsAt") if spec.starts_at else None
    ends_at = _instant(spec.ends_at, "endsAt") if spec.ends_at else None
    source, text = _compile_source(spec, name, created_at, words)
    return CompiledSchedule(
        source,
        _EARLIEST if starts_at is None else starts_at,
        _LATEST if ends_at is None else ends_at + RESOLUTION,
        text + words.describe_window(starts_at, ends_at),
    )


def _check_shape(spec: Schedule) -> None:
    kinds = (spec.cron, spec.cron_fields, spec.interval, spec.at)
    if sum(kind is not None for kind in kinds) != 1:
        raise ScheduleError("schedule", _KINDS)
    if spec.anchor is not None and spec.interval is None:
        raise ScheduleError(
            "schedule.anchor", say("an anchor goes only with interval; remove it, or write interval")
        )


def _compile_source(spec: Schedule, name: str, created_at: datetime, words: Words) -> tuple[SlotSource, str]:
    zone = load_zone(spec.time_zone)
    if spec.at is not None:
        at = _exact_instant(spec.at, "at")
        return SingleSlot(at), words.describe_at(at)
    if spec.interval is not None:
        return _compile_interval(spec, spec.interval, created_at, words)
    expression = _parse_expression(spec, name)
    text = words.describe_expression(expression, spec.time_zone)
    return CalendarSlots(expression, zone, spec.dst), text


def _parse_expression(spec: Schedule, name: str) -> Expression:
    if spec.cron is not None:
        return parse_cron(spec.cron, name)
    if spec.cron_fields is not None:
        return parse_cron_fields(spec.cron_fields)
    raise ScheduleError("schedule", _KINDS)


def _compile_interval(
    spec: Schedule, interval: Interval, created_at: datetime, words: Words
) -> tuple[SlotSource, str]:
    period = _parse_period(interval)
    if spec.anchor is None:
        text = words.describe_interval(interval, None)
        return IntervalSlots(_naive(created_at), period, first_k=1), text
    anchor = _exact_instant(spec.anchor, "anchor")
    return IntervalSlots(anchor, period, first_k=0), words.describe_interval(interval, anchor)


def _parse_period(interval: Interval) -> timedelta:
    parts = asdict(interval)
    negative = next((name for name, value in parts.items() if value < 0), None)
    if negative is not None:
        raise ScheduleError(
            f"schedule.interval.{negative}", say("{period} is negative; write 0 or more", period=negative)
        )
    if not any(parts.values()):
        raise ScheduleError(
            "schedule.interval", say("the period is zero; write at least one second, such as seconds: 30")
        )
    try:
        return timedelta(**parts)
    except OverflowError:
        message = say("the period is longer than the calendar; write less than a million days")
        raise ScheduleError("schedule.interval", message) from None


def _instant(value: datetime, key: str) -> datetime:
    if value.tzinfo is None:
        message = say("the instant has no zone; end it with Z or an offset, such as 2026-12-01T08:00:00Z")
        raise ScheduleError(f"schedule.{key}", message)
    return _naive(value)


def _exact_instant(value: datetime, key: str) -> datetime:
    if not FIRST_YEAR < value.year < LAST_YEAR:
        message = say(
            "the year {year} is beyond the clock; write {first} to {last}",
            year=value.year,
            first=FIRST_YEAR + 1,
            last=LAST_YEAR - 1,
        )
        raise ScheduleError(f"schedule.{key}", message)
    return _instant(value, key)


def _naive(value: datetime) -> datetime:
    """Give naive UTC, within the years that the clock covers."""
    if value.tzinfo is None:
        raise ValueError("an instant needs a zone")
    if not FIRST_YEAR < value.year < LAST_YEAR:
        return _EARLIEST if value.year <= FIRST_YEAR else _LATEST
    return value.astimezone(UTC).replace(tzinfo=None)


def _horizon(start: datetime) -> datetime:
    year = min(start.year + HORIZON_YEARS, LAST_YEAR)
    is_leap_day = (start.month, start.day) == (2, 29)
    return start.replace(year=year, month=3, day=1) if is_leap_day else start.replace(year=year)
