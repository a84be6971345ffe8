"""The totals and last times of a schedule's status."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sundial_clock.instants import format_instant, parse_instant
from sundial_core.resources.phases import Phase, Trigger, Verdict
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import Reason
from sundial_core.runs.run import Run
from sundial_core.status.verdicts import VerdictRecord

FAILURES = (Phase.FAILED, Phase.TIMED_OUT)
MAX_COUNT = 2**53
"""Where counting stops: who may write a status may write any number, and the next one must be storable."""


MAX_REASONS, MAX_REASON_CHARS = 100, 64
"""How many reasons are counted by, and how long they may be: more than any release has."""

REASONS = frozenset(Reason)


class Tallies:
    """Counts on from a stored status; each start, verdict and result is to be counted once."""

    def __init__(self, status: JsonObject) -> None:
        verdicts = (status.get("counters") or {}).get("verdicts") or {}
        self._started = limit_count(verdicts.get("started", 0))
        self._by_reason = {
            Verdict.SKIPPED: _limit_counts(verdicts.get("skipped") or {}),
            Verdict.MISSED: _limit_counts(verdicts.get("missed") or {}),
        }
        self._times = {name: status.get(name) for name in _TIMES}
        self._moved: dict[str, datetime] = {}
        self.consecutive_failures = limit_count(status.get("consecutiveFailures", 0))
        self.last_result: str | None = status.get("lastResult")

    def count_starts(self, runs: Collection[Run]) -> None:
        """Count runs that started."""
        slots = [run.slot for run in runs if run.trigger is Trigger.SCHEDULE]
        self._started = limit_count(self._started + len(slots))
        self._move("lastScheduleTime", max(filter(None, slots), default=None))
        self._move("lastRunTime", max(filter(None, (run.started_at for run in runs)), default=None))

    def count_verdict(self, record: VerdictRecord) -> None:
        """Count slots that were skipped or missed."""
        reasons = self._by_reason[record.verdict]
        count = reasons.get(record.reason.value, 0) + record.count
        reasons[record.reason.value] = limit_count(count)

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
            self.consecutive_failures = limit_count(self.consecutive_failures + 1)
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


def limit_count(count: int) -> int:
    """Bring a count that anybody may have written to between none and the most that is counted."""
    return max(0, min(int(count), MAX_COUNT))


def _limit_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Keep the counts of reasons that a release may have written, ours before others."""
    limited = {reason: limit_count(count) for reason, count in counts.items()}
    possible = [reason for reason, count in limited.items() if count and len(reason) <= MAX_REASON_CHARS]
    return {reason: limited[reason] for reason in sorted(possible, key=_is_foreign)[:MAX_REASONS]}


def _is_foreign(reason: str) -> bool:
    return reason not in REASONS


_TIMES = ("lastScheduleTime", "lastRunTime", "lastSuccessTime", "lastFailureTime")
