"""The totals and last times of a schedule's status."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sundial_clock.instants import format_instant, parse_instant
from sundial_core.resources.phases import Phase, Trigger, Verdict
from sundial_core.resources.raw import JsonObject
from sundial_core.runs.run import Run
from sundial_core.status.verdicts import VerdictRecord

FAILURES = (Phase.FAILED, Phase.TIMED_OUT)
MAX_COUNT = 2**53
"""Where counting stops: who may write a status may write any number, and the next one must be storable."""


class Tallies:
    """Counts on from a stored status; each start, verdict and result is to be counted once."""

    def __init__(self, status: JsonObject) -> None:
        verdicts = (status.get("counters") or {}).get("verdicts") or {}
        self._started = int(verdicts.get("started", 0))
        self._by_reason = {
            Verdict.SKIPPED: dict(verdicts.get("skipped") or {}),
            Verdict.MISSED: dict(verdicts.get("missed") or {}),
        }
        self._times = {name: status.get(name) for name in _TIMES}
        self._moved: dict[str, datetime] = {}
        self.consecutive_failures = int(status.get("consecutiveFailures", 0))
        self.last_result: str | None = status.get("lastResult")

    def count_starts(self, runs: Collection[Run]) -> None:
        """Count runs that started."""
        slots = [run.slot for run in runs if run.trigger is Trigger.SCHEDULE]
        self._started = min(self._started + len(slots), MAX_COUNT)
        self._move("lastScheduleTime", max(filter(None, slots), default=None))
        self._move("lastRunTime", max(filter(None, (run.started_at for run in runs)), default=None))

    def count_verdict(self, record: VerdictRecord) -> None:
        """Count slots that were skipped or missed."""
        reasons = self._by_reason[record.verdict]
        count = reasons.get(record.reason.value, 0) + record.count
        reasons[record.reason.value] = min(count, MAX_COUNT)

    def discount(self, entry: JsonObject) -> None:
        """Take back one slot that an entry has counted as skipped or missed."""
        reasons = self._by_reason[Verdict(entry["verdict"])]
        left = reasons.get(entry["reason"], 1) - 1
        if left:
            reasons[entry["reason"]] = left
        else:
            reasons.pop(entry["reason"], None)

    def count_result(self, run: Run) -> None:
        """Count how a run ended; a cancelled one is neither success nor failure."""
        self.last_result = run.phase.value
        if run.phase is Phase.SUCCEEDED:
            self.consecutive_failures = 0
            self._move("lastSuccessTime", run.completed_at)
        elif run.phase in FAILURES:
            self.consecutive_failures = min(self.consecutive_failures + 1, MAX_COUNT)
            self._move("lastFailureTime", run.completed_at)

    def build(self) -> JsonObject:
        """Build the fields of the status."""
        verdicts = {
            "started": self._started,
            "skipped": self._by_reason[Verdict.SKIPPED],
            "missed": self._by_reason[Verdict.MISSED],
        }
        counters = {name: value for name, value in verdicts.items() if value}
        return {
            **self._times,
            **{name: format_instant(instant) for name, instant in self._moved.items()},
            "lastResult": self.last_result,
            "consecutiveFailures": self.consecutive_failures,
            "counters": {"verdicts": counters} if counters else None,
        }

    def _move(self, name: str, instant: datetime | None) -> None:
        """Move a last time forward, never back; it is read and written as text once."""
        known = self._moved.get(name) or self._read(name)
        if instant is not None and (known is None or known < instant):
            self._moved[name] = instant

    def _read(self, name: str) -> datetime | None:
        text = self._times[name]
        return parse_instant(text) if text else None


_TIMES = ("lastScheduleTime", "lastRunTime", "lastSuccessTime", "lastFailureTime")
