"""What does the stored status of a schedule say at one moment, and which instants does its schedule name?

Read and computed without any code of Sundial: every second is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

SECOND = timedelta(seconds=1)
Schedule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    """What the stored status of a schedule says at one moment."""

    ns: str
    name: str
    uid: str
    schedule: Schedule
    created: datetime
    effective_from: datetime | None
    cursor: datetime | None
    counters: dict[str, Any]
    retries: int
    most_active: int | None
    queued: tuple[datetime, ...] = ()

    @property
    def label(self) -> str:
        """What to call it in a finding."""
        return f"{self.ns}/{self.name} ({self.uid[:8]})"

    @property
    def verdicts(self) -> int:
        """How many slots have a verdict."""
        skipped, missed = self.counters.get("skipped", {}), self.counters.get("missed", {})
        counts = [self.counters.get("started", 0), *skipped.values(), *missed.values()]
        return sum(map(int, counts))


def read_story(item: dict[str, Any]) -> Story:
    """Read a ScheduledJob."""
    metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    concurrency = spec.get("concurrency") or {}
    is_limited = concurrency.get("policy", "Forbid") != "Allow"
    return Story(
        ns=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        schedule=spec["schedule"],
        created=_read_instant(metadata["creationTimestamp"]),
        effective_from=_read_instant(status["effectiveFrom"]) if "effectiveFrom" in status else None,
        cursor=_read_instant(status["cursor"]) if "cursor" in status else None,
        counters=(status.get("counters") or {}).get("verdicts") or {},
        retries=int((spec.get("retry") or {}).get("count", 3)),
        most_active=int(concurrency.get("maxInstances", 1)) if is_limited else None,
        queued=tuple(_read_instant(entry["slot"]) for entry in status.get("queued") or ()),
    )


def list_instants(
    schedule: Schedule, created: datetime, after: datetime, until: datetime
) -> Iterator[datetime]:
    """List the instants that a schedule names, after one and up to another: every second is asked."""
    if "endsAt" in schedule:
        until = min(until, _read_instant(schedule["endsAt"]))
    instant = after.replace(microsecond=0) + SECOND
    while instant <= until:
        if names_instant(schedule, created, instant):
            yield instant
        instant += SECOND


def names_instant(schedule: Schedule, created: datetime, instant: datetime) -> bool:
    """Ask the two kinds of schedule that the suite uses: an interval, and every n-th second of a minute."""
    if "interval" in schedule:
        period: int = schedule["interval"]["seconds"]
        return int((instant - created).total_seconds()) % period == 0
    second, *rest = schedule["cron"].split()
    assert rest == ["*"] * 5
    assert second.startswith("*/")
    return instant.second % int(second.removeprefix("*/")) == 0


def _read_instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
