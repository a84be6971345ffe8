"""What is answered about a job that the database does not have yet? The same, read from the object."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sundial_api.executions.schemas import ScheduledJobExecutionRead
from sundial_api.http.job_fields import DEFAULT_TIMEOUT_SECONDS
from sundial_api.jobs.schemas import ScheduledJobRead
from sundial_api.mirror.projection.api_values import build_celery_task_id, name_trigger
from sundial_api.mirror.projection.sanitize import parse_uuid
from sundial_api.mirror.projection.scheduled_jobs import read_schedule
from sundial_clock.instants import parse_instant
from sundial_core.resources.names import CREATED_BY
from sundial_core.resources.raw import JsonObject


def describe_unstored(item: JsonObject, function_id: int, now: datetime) -> ScheduledJobRead:
    """Describe a job by its object, as it stands at `now`."""
    row = read_schedule(item, epoch=0).row
    until = row.paused_until
    is_paused = until is not None and (until == "infinity" or parse_instant(until) > now)
    fields = asdict(row) | {
        "task_function_id": function_id,
        "timeout_seconds": row.own_timeout_seconds or DEFAULT_TIMEOUT_SECONDS,
        "is_paused": is_paused,
        "is_enabled": not row.suspended and not is_paused,
    }
    return ScheduledJobRead.model_validate(fields)


def describe_unstored_run(run: JsonObject, job_id: UUID) -> ScheduledJobExecutionRead:
    """Describe a run that was asked for just now by its ScheduledJobRun."""
    metadata, spec = run["metadata"], run["spec"]
    by = parse_uuid((metadata.get("annotations") or {}).get(CREATED_BY))
    return ScheduledJobExecutionRead(
        id=UUID(metadata["uid"]),
        job_id=job_id,
        celery_task_id=build_celery_task_id(metadata["uid"], 1),
        status="pending",
        started_at=parse_instant(metadata["creationTimestamp"]),
        triggered_by=name_trigger("manual", spec.get("source")),
        triggered_by_user_id=UUID(by) if by else None,
        namespace=metadata["namespace"],
        phase="Pending",
        attempt=0,
        requested_by=spec.get("requestedBy"),
    )
