"""What does an execution of the original look like as a row beside the mirror's? A row in, a row out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sundial_api.db.imported_rows import IMPORTED
from sundial_api.importing.original.rows import OddValue, OriginalExecution, parse_json
from sundial_api.importing.original.times import parse_end, parse_time
from sundial_api.mirror.projection.api_values import MAX_ERROR_CHARS
from sundial_api.mirror.projection.sanitize import clean_json, parse_uuid, quote, trim
from sundial_clock.instants import format_instant
from sundial_core.resources.phases import Phase
from sundial_core.resources.raw import JsonObject

PHASES = {"success": Phase.SUCCEEDED, "failed": Phase.FAILED, "timeout": Phase.TIMED_OUT}
UNFINISHED = ("pending", "running")
TRIGGERS = ("scheduler", "manual", "api")
MAX_TRACEBACK_CHARS = 65_536
LONGEST = timedelta(days=36_500)

Note = Callable[[str], None]
"""Called with what is odd about a row that is taken all the same."""


class NotTaken(Exception):
    """A row that is sound and is not imported; the text is the sort of it."""


@dataclass(frozen=True, slots=True)
class HistoryPlace:
    """Where a job of the original is now."""

    job_id: str
    namespace: str


@dataclass(frozen=True, slots=True)
class HistoryGround:
    """What all executions are read by."""

    jobs: Mapping[str, HistoryPlace]
    """The jobs by their ids in the original."""
    namespace: str
    """Where the history of jobs goes that the original had deleted."""
    zone: ZoneInfo
    after: datetime
    """What began at or before it, retention would delete at once."""
    left_out: frozenset[str] = frozenset()
    """The jobs that are in the original and not imported."""


@dataclass(frozen=True, slots=True)
class ImportedExecution:
    """A row of scheduled_job_executions; what the original does not know is left to the defaults."""

    id: str
    job_id: str
    namespace: str
    celery_task_id: str | None
    status: str
    phase: str
    started_at: str
    completed_at: str | None
    result: Any
    error_message: str | None
    error_traceback: str | None
    triggered_by: str
    triggered_by_user_id: str | None
    scheduler_instance_id: str | None
    sources: JsonObject
    attempt: int = 0
    attempts: list[JsonObject] = field(default_factory=list)


def read_execution(row: OriginalExecution, ground: HistoryGround, note: Note) -> ImportedExecution:
    """Read a row; raises OddValue for one that nothing can be made of, NotTaken for one that is left."""
    status = (row.status or "").strip().lower()
    if status in UNFINISHED:
        raise NotTaken("have not ended: import again when they have")
    if status not in PHASES:
        raise OddValue("its status is none of success, failed, timeout, pending and running")
    place = _find_place(row, ground, note)
    began = parse_time(row.started_at, ground.zone, "started_at")
    if began is None:
        raise OddValue("it has no started_at")
    if began <= ground.after:
        raise NotTaken("are older than history is kept for (SUNDIAL_API_HISTORY_DAYS)")
    ended = _find_end(row, began, ground.zone, note)
    return ImportedExecution(
        id=_require_uuid(row.id, "id"),
        job_id=place.job_id,
        namespace=place.namespace,
        celery_task_id=trim(row.celery_task_id, 100),
        status=status,
        phase=PHASES[status].value,
        started_at=format_instant(began),
        completed_at=format_instant(ended) if ended else None,
        result=_read_result(row.result, note),
        error_message=quote(row.error_message, MAX_ERROR_CHARS),
        error_traceback=quote(row.error_traceback, MAX_TRACEBACK_CHARS),
        triggered_by=_read_trigger(row.triggered_by, note),
        triggered_by_user_id=parse_uuid(row.triggered_by_user_id),
        scheduler_instance_id=parse_uuid(row.scheduler_instance_id),
        sources={IMPORTED: {"jobId": row.job_id}},
    )


def _find_place(row: OriginalExecution, ground: HistoryGround, note: Note) -> HistoryPlace:
    place = ground.jobs.get(row.job_id or "")
    if place is not None:
        return place
    if row.job_id in ground.left_out:
        raise NotTaken("are of jobs that are left out: import again when these are imported")
    job_id = _require_uuid(row.job_id, "job_id")
    note("of a job that the original had deleted: kept under the job's old id")
    return HistoryPlace(job_id, ground.namespace)


def _find_end(row: OriginalExecution, began: datetime, zone: ZoneInfo, note: Note) -> datetime | None:
    ended = parse_end(row.completed_at, began, zone)
    if ended is not None and ended < began:
        note("ended before it began: taken as ended at once")
        return began
    return ended if ended is not None else _add_duration(row.duration_seconds, began)


def _add_duration(text: str | None, began: datetime) -> datetime | None:
    """Compute when something ended that says only how long it took; None where that says nothing."""
    try:
        duration = timedelta(seconds=float(text or "nan"))
    except (ValueError, OverflowError):
        return None
    return began + duration if timedelta() <= duration < LONGEST else None


def _read_result(text: str | None, note: Note) -> JsonObject | None:
    """Read a result in the original's form, an object; any other value is under `result`."""
    try:
        value = clean_json(parse_json(text, "result"))
    except OddValue:
        note("its result cannot be read, or is too long: left out")
        return None
    return value if value is None or isinstance(value, dict) else {"result": value}


def _read_trigger(text: str | None, note: Note) -> str:
    if text in TRIGGERS:
        return str(text)
    note("its triggered_by is none of scheduler, manual and api: taken as api")
    return "api"


def _require_uuid(text: str | None, what: str) -> str:
    found = parse_uuid(text)
    if found is None:
        raise OddValue(f"its {what} is no UUID", text)
    return found
