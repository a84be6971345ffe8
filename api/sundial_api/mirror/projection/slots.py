"""Which slots started no run, which runs does a status tell of, and what passed unseen by the mirror?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from sundial_api.mirror.projection.run_facts import RunFact, parse_status_fact
from sundial_api.mirror.projection.sanitize import plain, quote, trim
from sundial_api.mirror.projection.scheduled_jobs import RECENT_KEPT, ScheduleFact
from sundial_clock.instants import format_instant, parse_instant
from sundial_core.resources.phases import Trigger
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.readable import is_instant

log = structlog.get_logger()

NOT_MIRRORED = "NotMirrored"
VERDICTS = ("Skipped", "Missed")
_NEXT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class SlotRow:
    """A row of `scheduler_slots`: slots in a row that share a verdict."""

    job_id: str
    first_slot: str
    last_slot: str
    count: int
    verdict: str
    reason: str
    message: str | None
    resource_version: int
    epoch: int


def parse_slots(schedule: ScheduleFact) -> list[SlotRow]:
    """Read the entries of `recentSlots` that started no run."""
    return [_build_slot(schedule, entry) for entry in schedule.row.recent_slots if _is_verdict(entry)]


def _is_verdict(entry: JsonObject) -> bool:
    return "runId" not in entry and entry.get("verdict") in VERDICTS and _has_span(entry)


def _has_span(entry: JsonObject) -> bool:
    """Tell whether an entry says from when to when it is; anybody may have written it."""
    return is_instant(_begin(entry)) and is_instant(entry.get("to") or _begin(entry))


def _build_slot(schedule: ScheduleFact, entry: JsonObject) -> SlotRow:
    first = _begin(entry)
    return SlotRow(
        job_id=schedule.row.id,
        first_slot=first,
        last_slot=entry.get("to") or first,
        count=_count(entry),
        verdict=entry["verdict"],
        reason=trim(entry.get("reason"), 253) or "",
        message=quote(entry.get("message"), 65_536),
        resource_version=schedule.row.resource_version,
        epoch=schedule.row.epoch,
    )


def _count(entry: JsonObject) -> int:
    return max(1, int(entry.get("count", 1)))


def list_status_facts(schedule: ScheduleFact, before: list[JsonObject]) -> Iterator[RunFact]:
    """Find what a status tells of runs that it did not tell before; an entry that is not read is left out."""
    row = schedule.row
    known = {str(entry.get("runId")): entry for entry in before}
    ignored = []
    for entry in row.recent_slots:
        if "runId" not in entry or entry == known.get(str(entry["runId"])):
            continue
        try:
            yield parse_status_fact(entry, row.id, row.namespace, schedule.version)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            ignored.append(type(error).__name__)
    if ignored:
        log.warning("ignored entries of recentSlots", job=row.id, entries=len(ignored), error=ignored[0])


def compute_oldest(entries: list[JsonObject]) -> str | None:
    """Find how far back `recentSlots` tells of every slot; those beyond are kept for active runs only.

    None where no entry says when it was.
    """
    begins = (_begin(entry) for entry in reversed(entries[:RECENT_KEPT]))
    return next(filter(is_instant, begins), None)


def has_gap(schedule: ScheduleFact, covered_until: str | None) -> bool:
    """Tell whether slots may have passed between what was mirrored before and what the status tells of.

    A list that is not full tells of all slots since the creation.
    """
    entries = schedule.row.recent_slots
    oldest = compute_oldest(entries) if len(entries) >= RECENT_KEPT else None
    if oldest is None:
        return False
    return covered_until is None or plain(covered_until) < plain(oldest)


def find_newest_span(entries: list[JsonObject]) -> tuple[str | None, int]:
    """Find where the newest entry of slots that started no run begins, and how many slots it is about."""
    spans = [(entry.get("to") or _begin(entry), entry) for entry in entries if _is_verdict(entry)]
    if not spans:
        return None, 0
    _, newest = max(spans, key=lambda span: plain(span[0]))
    return _begin(newest), _count(newest)


def has_lost(schedule: ScheduleFact, waited: Iterable[str]) -> bool:
    """Tell whether a slot that waited does not any more, and no entry tells what became of it."""
    gone = set(waited) - set(schedule.row.out_of_order)
    if not gone:
        return False
    spans = [(_begin(entry), entry.get("to") or _begin(entry)) for entry in schedule.row.recent_slots]
    told = [(plain(first), plain(last)) for first, last in spans]
    return any(not any(first <= plain(slot) <= last for first, last in told) for slot in gone)


def count_decided(schedule: ScheduleFact) -> int:
    """Count the slots that were ever given a verdict."""
    return schedule.row.started_slots + schedule.row.skipped_slots + schedule.row.missed_slots


def build_gap(schedule_id: str, begin: datetime, end: str, count: int) -> SlotRow:
    """Build the row of slots between two instants of which nothing but their number is known."""
    first = begin + _NEXT
    last = max(first, parse_instant(end) - _NEXT)
    message = f"{count} slots were decided while nothing was mirrored"
    return SlotRow(
        job_id=schedule_id,
        first_slot=format_instant(first),
        last_slot=format_instant(last),
        count=count,
        verdict=NOT_MIRRORED,
        reason=NOT_MIRRORED,
        message=message,
        resource_version=0,
        epoch=0,
    )


def _begin(entry: JsonObject) -> str:
    """Find where an entry begins, in the order of the list: that of a run that was asked for is its start.

    The slot of a backfill may be years before its neighbours (`status/recent_slots.py`).
    """
    is_asked = "runId" in entry and entry.get("trigger", Trigger.SCHEDULE) != Trigger.SCHEDULE
    slot = None if is_asked else entry.get("slot") or entry.get("from")
    return str(slot or entry.get("startedAt") or "")
