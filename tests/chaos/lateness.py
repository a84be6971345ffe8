"""How late are the Jobs of healthy schedules while others are in trouble? From the API server's record.

A start is as late as the arrival of the create that made its Job, less its slot. What nobody could have
started is left out: from a leader's end to the first Job of the next term, and while the API server is away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chaos.changes import FAR, count_slots
from chaos.records import Creation
from chaos.stories import Story

ON_TIME = timedelta(seconds=1)
"""What was due for longer before a leader's end than this was late already."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which others were in one kind of trouble."""

    trouble: str
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class End:
    """When a leader was killed, frozen, cut off, robbed or stopped, and its term."""

    at: datetime
    term: int


@dataclass(frozen=True, slots=True)
class Outage:
    """When the whole API server was away."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nobody could start anything: up to the first Job after it."""

    begin: datetime
    end: datetime

    def excuses(self, slot: datetime, started: datetime | None) -> bool:
        """Tell whether a slot was due and not started when it began, or due while it lasted."""
        is_open = started is None or started > self.begin
        return is_open and self.begin - ON_TIME < slot <= self.end


def find_gaps(ends: Iterable[End], outages: Iterable[Outage], creations: Iterable[Creation]) -> list[Gap]:
    """Find the times in which nobody could start anything, from faults and what was started after them."""
    ordered = sorted(creations, key=lambda creation: creation.at)
    gaps = []
    for end in ends:
        first = next((c.at for c in ordered if c.at > end.at and c.term > end.term), FAR)
        gaps.append(Gap(end.at, first))
    for outage in outages:
        first = next((c.at for c in ordered if c.at > outage.end), FAR)
        gaps.append(Gap(outage.begin, first))
    return gaps


def measure_lateness(
    windows: Iterable[Window], stories: Sequence[Story], creations: Sequence[Creation], gaps: Sequence[Gap]
) -> dict[str, list[float]]:
    """Measure how many seconds late each slot was started, by the trouble of others; inf: never."""
    firsts: dict[tuple[str, datetime], datetime] = {}
    for creation in creations:
        if creation.slot is not None:
            key = (creation.owner, creation.slot)
            firsts[key] = min(creation.at, firsts.get(key, creation.at))
    measured: dict[str, list[float]] = {}
    for window in windows:
        seconds = measured.setdefault(window.trouble, [])
        for story in stories:
            for slot in count_slots(story, (), window.end).sure:
                started = firsts.get((story.uid, slot))
                if slot >= window.begin and not any(gap.excuses(slot, started) for gap in gaps):
                    seconds.append((started - slot).total_seconds() if started else math.inf)
    return measured


def find_percentile(seconds: Sequence[float], share: float) -> float:
    """Find the smallest value that so large a share of all do not exceed (nearest rank)."""
    return sorted(seconds)[max(0, math.ceil(share * len(seconds)) - 1)]
