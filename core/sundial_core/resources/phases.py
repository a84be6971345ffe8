"""What a status says of runs and slots: what started a run, where it stands, what became of a slot."""

from __future__ import annotations

from enum import StrEnum


class Trigger(StrEnum):
    """What started a run."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    BACKFILL = "backfill"


class Phase(StrEnum):
    """Where a run stands; Waiting is between two attempts, Unknown until its Job has been read."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"
    CANCELLED = "Cancelled"
    WAITING = "Waiting"
    UNKNOWN = "Unknown"

    @property
    def is_result(self) -> bool:
        """Tell whether the attempt has a result."""
        return self in RESULTS


RESULTS = (Phase.SUCCEEDED, Phase.FAILED, Phase.TIMED_OUT, Phase.CANCELLED)


class Verdict(StrEnum):
    """What became of a slot."""

    STARTED = "Started"
    SKIPPED = "Skipped"
    MISSED = "Missed"
