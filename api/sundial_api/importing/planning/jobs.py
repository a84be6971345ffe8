"""What becomes of a job of the original? A suspended ScheduledJob beside its TaskFunction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sundial_api.http.schedule_config import JobType
from sundial_api.importing.original.rows import (
    OddValue,
    OriginalJob,
    is_true,
    parse_object,
    parse_whole,
)
from sundial_api.importing.planning.instants import compare_instants
from sundial_api.importing.planning.resources import PlannedResource, build_manifest, name_job
from sundial_api.importing.planning.schedules import (
    OriginalSchedule,
    build_schedule,
    read_original_schedule,
)
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject
from sundial_kube.resources import SCHEDULED_JOBS

UNANCHORED = "an interval without next_run_time: it counts from when its resource is made"
PAUSE_MARKS = {names.PAUSED: "true", names.PAUSED_REASON: "paused in the original installation"}


@dataclass(frozen=True, slots=True)
class PlanningGround:
    """What all jobs are planned by."""

    functions: Mapping[str, PlannedResource]
    """The functions by their ids in the original."""
    zone: ZoneInfo
    now: datetime
    instants: int
    """How many of the next instants are compared."""


def plan_job(row: OriginalJob, ground: PlanningGround) -> PlannedResource:
    """Plan a job."""
    planned = PlannedResource(
        *(SCHEDULED_JOBS, row.id, row.name or row.id),
        function_id=row.task_function_id,
        is_enabled=is_true(row.is_enabled),
    )
    try:
        return _plan(row, planned, ground)
    except OddValue as error:
        return replace(planned, problem=str(error))


def _plan(row: OriginalJob, planned: PlannedResource, ground: PlanningGround) -> PlannedResource:
    schedule = read_original_schedule(row, ground.zone)
    built = build_schedule(schedule)
    name = name_job(planned.title, row.id)
    function = ground.functions.get(row.task_function_id or "")
    ns = function.namespace if function is not None else ""
    instants = compare_instants(schedule, built, f"{ns}/{name}", ground.now, ground.instants)
    compared = replace(planned, name=name, namespace=ns, instants=instants, notes=list_notes(schedule))
    if function is None:
        raise OddValue(f"there is no task function {row.task_function_id}")
    if function.manifest is None:
        return replace(compared, problem=f"its function {function.title} cannot be imported")
    spec = _build_spec(row) | {"schedule": built, "taskFunctionRef": {"name": function.name}}
    manifest = build_manifest(SCHEDULED_JOBS, ns, name, row.id, spec | {"suspend": True})
    if is_true(row.is_paused):
        manifest["metadata"]["annotations"] |= PAUSE_MARKS
    return replace(compared, manifest=manifest)


def list_notes(schedule: OriginalSchedule) -> tuple[str, ...]:
    """List what is not as it was, in words."""
    is_loose = schedule.kind is JobType.INTERVAL and schedule.start is None
    return schedule.notes + ((UNANCHORED,) if is_loose else ())


def _build_spec(row: OriginalJob) -> JsonObject:
    numbers = {
        "count": parse_whole(row.retry_count, "retry_count"),
        "delaySeconds": parse_whole(row.retry_delay_seconds, "retry_delay_seconds"),
    }
    instances = parse_whole(row.max_instances, "max_instances")
    fields = {
        "displayName": row.name if len(row.name or "") > 1 else None,
        "description": row.description or None,
        "args": parse_object(row.task_args, "task_args"),
        "timeoutSeconds": parse_whole(row.timeout_seconds, "timeout_seconds"),
        "retry": {name: value for name, value in numbers.items() if value is not None} or None,
        "concurrency": None if instances is None else {"maxInstances": instances},
    }
    return {name: value for name, value in fields.items() if value is not None}
