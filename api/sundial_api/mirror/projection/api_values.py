"""What is a run of the cluster called in the API? Its words for states, triggers and errors."""

from __future__ import annotations

from sundial_api.mirror.projection.sanitize import trim
from sundial_core.resources.phases import Phase

MAX_ERROR_CHARS = 2000

_STATUS = {
    Phase.PENDING: "pending",
    Phase.RUNNING: "running",
    Phase.WAITING: "running",
    Phase.UNKNOWN: "running",
    Phase.SUCCEEDED: "success",
    Phase.TIMED_OUT: "timeout",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "failed",
}

OPEN_STATUSES = ("pending", "running")


def name_status(phase: Phase) -> str:
    """Name an execution's status; a run between two attempts is running."""
    return _STATUS[phase]


def name_last_status(result: str | None, active_count: int) -> str | None:
    """Name how a job's newest run stands; a timeout shows as failed."""
    if active_count:
        return "running"
    if not result:
        return None
    return "success" if result == Phase.SUCCEEDED else "failed"


def name_trigger(trigger: str, source: str | None) -> str:
    """Name what started a run: the schedule, a click in the frontend, or any other ScheduledJobRun."""
    if trigger == "schedule":
        return "scheduler"
    return "manual" if source == "manual" else "api"


def describe_error(reason: str, text: str) -> str | None:
    """Say why a run did not succeed: the reason as one word, then the sentence."""
    if text.startswith(f"{reason}:"):
        return trim(text, MAX_ERROR_CHARS)
    return trim(": ".join(filter(None, (reason, text))), MAX_ERROR_CHARS)
