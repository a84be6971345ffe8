"""What is answered about a job that the database does not have yet? The same, read from the object."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sundial_api.db.fetch import Row
from sundial_api.executions.schemas import ScheduledJobExecutionRead
from sundial_api.http.job_fields import DEFAULT_TIMEOUT_SECONDS
from sundial_api.jobs.repository import LATE_AFTER
from sundial_api.jobs.schemas import ScheduledJobRead
from sundial_api.mirror.projection.api_values import name_trigger
from sundial_api.mirror.projection.sanitize import parse_uuid
from sundial_api.mirror.projection.scheduled_jobs import read_schedule
from sundial_clock.instants import parse_instant
from sundial_core.resources.names import CREATED_BY
from sundial_core.resources.raw import JsonObject


def describe_unstored(
    item: JsonObject, function_id: int, inherited_seconds: int, now: datetime
) -> ScheduledJobRead:
    """Describe a job by its object, as it stands at `now`; without a timeout of its own it has that one."""
    row = read_schedule(item, epoch=0).date(now).row
    until = row.paused_until
    is_paused = until is not None and (until == "infinity" or parse_instant(until) > now)
    is_enabled = not row.suspended and not is_paused
    next_run = parse_instant(row.next_run_time) if row.next_run_time else None
    fields = asdict(row) | {
        "task_function_id": function_id,
        "timeout_seconds": row.own_timeout_seconds or inherited_seconds,
        "is_paused": is_paused,
        "paused_until": until if is_paused and until != "infinity" else None,
        "pause_reason": row.pause_reason if is_paused else None,
        "is_enabled": is_enabled,
        "is_late": is_enabled and next_run is not None and next_run < now - LATE_AFTER,
    }
    return ScheduledJobRead.model_validate(fields)


def inherit_timeout(function: Row | None) -> int:
    """Find the timeout, in seconds, of jobs that set none."""
    if function is None or function["deleted_at"] is not None:
        return DEFAULT_TIMEOUT_SECONDS
    return int(function["default_timeout_seconds"])


def describe_unstored_run(run: JsonObject, job_id: UUID, authorship: str) -> ScheduledJobExecutionRead:
    """Describe a run that was asked for just now by its ScheduledJobRun."""
    metadata, spec = run["metadata"], run["spec"]
    by = parse_uuid((metadata.get("annotations") or {}).get(CREATED_BY))
    fields = {
        "id": UUID(metadata["uid"]),
        "job_id": job_id,
        "status": "pending",
        "started_at": parse_instant(metadata["creationTimestamp"]),
        "triggered_by": name_trigger("manual", spec.get("source")),
        "triggered_by_user_id": UUID(by) if by else None,
        "namespace": metadata["namespace"],
        "phase": "Pending",
        "attempt": 0,
        "requested_by": spec.get("requestedBy"),
    }
    return ScheduledJobExecutionRead.model_validate(fields, context=authorship)
