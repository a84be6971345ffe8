"""Verdicts that no status holds yet: merged so that they stay few, cut where a status holds a part of them.

A verdict on several slots is about all slots that the schedule has between its first and its last one. Where
that is not so, or the schedule is another one by now, the verdict is kept or dropped as a whole.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby

from sundial_clock.instants import RESOLUTION
from sundial_clock.schedule import CompiledSchedule
from sundial_core.status.stored import StoredStatus
from sundial_core.status.verdicts import VerdictRecord

EVER = datetime.max.replace(tzinfo=UTC)


def merge_verdicts(
    known: list[VerdictRecord],
    new: Iterable[VerdictRecord],
    schedule: CompiledSchedule | None,
    apart: Collection[datetime],
) -> list[VerdictRecord]:
    """Add verdicts to those that are known, and merge slots in a row that share verdict and reason.

    The slots in `apart` stay by themselves. Gives them oldest first.
    """
    fresh = sorted(new, key=_first)
    if schedule is None or not fresh:
        return sorted([*known, *fresh], key=_first)
    rows = _merge_rows(fresh, schedule, apart)
    firsts, lasts = {row.first for row in rows}, {row.last for row in rows}
    merged: list[VerdictRecord] = []
    for record in sorted([*known, *rows], key=_first):
        is_fresh = bool(merged) and (record.first in firsts or merged[-1].last in lasts)
        if is_fresh and record.first not in apart and merged[-1].first not in apart:
            merged[-1:] = _merge_pair(merged[-1], record, schedule)
        else:
            merged.append(record)
    return merged


def drop_stored(
    verdicts: Iterable[VerdictRecord], stored: StoredStatus, schedule: CompiledSchedule | None
) -> list[VerdictRecord]:
    """Drop the verdicts that the stored status now holds: its cursor has passed them, and none waits."""
    assert stored.cursor is not None
    cut = ((record, cut_verdict(record, stored.cursor, EVER, schedule)) for record in verdicts)
    left = (record if stored.is_queued(record.first) else rest for record, rest in cut)
    return [record for record in left if record is not None]


def cut_verdict(
    record: VerdictRecord, after: datetime, until: datetime, schedule: CompiledSchedule | None
) -> VerdictRecord | None:
    """Keep the part of a verdict that is about slots in (after, until], if there is one."""
    if record.last <= after or record.first > until:
        return None
    if record.first > after and record.last <= until:
        return record
    if schedule is None or schedule.count_slots(record.first - RESOLUTION, record.last) != record.count:
        return record if record.last <= until else None
    low, high = max(after, record.first - RESOLUTION), min(until, record.last)
    first, last = schedule.next_slot(low), schedule.latest_slots(low, high, 1)
    if first is None or not last:
        return None
    return replace(record, first=first, last=last[0], count=schedule.count_slots(low, high))


def list_decided_slots(slots: Iterable[datetime], verdicts: Iterable[VerdictRecord]) -> set[datetime]:
    """List which of some slots have a verdict."""
    known = sorted(verdicts, key=_first)
    firsts = [record.first for record in known]
    places = ((slot, bisect_right(firsts, slot) - 1) for slot in slots)
    return {slot for slot, place in places if place >= 0 and slot <= known[place].last}


def _merge_rows(
    fresh: list[VerdictRecord], schedule: CompiledSchedule, apart: Collection[datetime]
) -> list[VerdictRecord]:
    """Merge new verdicts, oldest first, where their number proves that they are a row."""
    rows: list[VerdictRecord] = []
    for _, alike in groupby(fresh, key=lambda record: (record.verdict, record.reason, record.first in apart)):
        group = list(alike)
        first, last, count = group[0], group[-1], sum(record.count for record in group)
        is_apart = first.first in apart
        is_row = not is_apart and schedule.count_slots(first.first - RESOLUTION, last.last) == count
        rows += [_join(first, last, count)] if is_row else group
    return rows


def _merge_pair(
    record: VerdictRecord, other: VerdictRecord, schedule: CompiledSchedule
) -> list[VerdictRecord]:
    is_alike = (record.verdict, record.reason) == (other.verdict, other.reason)
    if is_alike and schedule.next_slot(record.last) == other.first:
        return [_join(record, other, record.count + other.count)]
    return [record, other]


def _join(record: VerdictRecord, other: VerdictRecord, count: int) -> VerdictRecord:
    return replace(record, last=other.last, count=count, message=other.message or record.message)


def _first(record: VerdictRecord) -> datetime:
    return record.first
