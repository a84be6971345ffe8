"""Slots and run requests that wait for a place, as the status lists them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sundial_clock.instants import format_instant, parse_instant
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import Reason


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A slot that waits for a place since `since`: AlreadyActive, or Replacing a run that is being ended.

    With a `run_id` it is a ScheduledJobRun, and `slot` is when somebody asked for it.
    """

    slot: datetime
    since: datetime
    reason: Reason
    run_id: str = ""


def parse_queue(entries: Iterable[JsonObject]) -> tuple[QueueEntry, ...]:
    """Read the slots that wait from a status."""
    return tuple(
        QueueEntry(parse_instant(e["slot"]), parse_instant(e["since"]), Reason(e["reason"])) for e in entries
    )


def build_queue(waiting: Iterable[QueueEntry]) -> list[JsonObject]:
    """Build the status's list of slots that wait, oldest first."""
    return [
        {
            "slot": format_instant(entry.slot),
            "since": format_instant(entry.since),
            "reason": entry.reason.value,
        }
        for entry in sorted(waiting, key=by_slot)
    ]


def by_slot(waiting: QueueEntry) -> datetime:
    """Give the key by which what waits is ordered."""
    return waiting.slot
