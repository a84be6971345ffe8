"""ScheduledJobRuns as tests write them down, and what is answered to them, in a line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from testkit.scheduled_jobs import (
    LIMITS,
    UID,
    at,
    build_observed,
    build_plan,
    build_scheduled_job,
    build_spec,
)

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import Decision, decide
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources import names
from sundial_core.resources.objects import ScheduledJob, ScheduledJobRun, parse_scheduled_job_run
from sundial_core.runs.jobs import ObservedJob

RUN_UID = "1d0f3c52-4c52-4a0e-8b1e-5f2f6e1b7a01"


def build_request_item(
    spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, created: float = 12, **how: Any
) -> dict[str, Any]:
    """Build the JSON of a ScheduledJobRun for `tick`; `created` is in seconds after its ScheduledJob's."""
    metadata = {
        "uid": how.get("uid", RUN_UID),
        "resourceVersion": "30",
        "namespace": "team",
        "name": how.get("name", "now"),
        "generation": 1,
        "creationTimestamp": format_instant(at(created)),
        "labels": how.get("labels", {}),
        "annotations": how.get("annotations", {}),
    }
    if how.get("is_deleting"):
        metadata["deletionTimestamp"] = format_instant(at(created + 1))
    return {"metadata": metadata, "spec": {"scheduledJobName": "tick"} | (spec or {}), "status": status or {}}


def build_request(spec: dict[str, Any] | None = None, **how: Any) -> ScheduledJobRun:
    """Build a ScheduledJobRun as the operator sees it."""
    return parse_scheduled_job_run(build_request_item(spec, **how))


def build_run_marks(**how: Any) -> dict[str, Any]:
    """Give the marks of the Job of a run that was asked for, for `build_observed`."""
    return {"run_id": RUN_UID, "trigger": "manual", "created": 12} | how


def ask(
    *requests: ScheduledJobRun,
    now: float = 13,
    jobs: tuple[ObservedJob, ...] = (),
    job: ScheduledJob | None = None,
    memory: Remembered | None = None,
) -> Decision:
    """Decide about a schedule with these ScheduledJobRuns."""
    job = job or build_parent()
    memory = memory or Remembered()
    return decide(Snapshot(job, build_plan(job), jobs, memory, run_requests=requests), at(now), LIMITS)


def build_parent(
    status: dict[str, Any] | None = None, paused: str | None = None, **fields: Any
) -> ScheduledJob:
    """Build a ScheduledJob of a slot every ten minutes, which catches up on none."""
    spec = build_spec(schedule={"interval": {"minutes": 10}}, catchUp={"policy": "None"}) | fields
    return build_scheduled_job(spec, status=status, paused=paused)


def follow(request: ScheduledJobRun, decision: Decision) -> ScheduledJobRun:
    """Store what was decided to be said of one."""
    return replace(request, status=decision.run_requests.statuses.get(request.uid, request.status))


def tell(decision: Decision, uid: str = RUN_UID) -> str:
    """Write the answer to one in a line."""
    if any(attempt.run_id == uid for attempt in decision.run_requests.starts):
        return "starts"
    status = decision.run_requests.statuses.get(uid)
    if status is None:
        return "deleted" if uid in [one.uid for one in decision.run_requests.deletes] else "-"
    return tell_status(status)


def tell_status(status: dict[str, Any]) -> str:
    """Write the status of one in a line: waits, or verdict and result, each with its reason."""
    words = [status.get("verdict", "waits"), status.get("result"), status.get("reason")]
    return " ".join(word for word in words if word)


def name_job(attempt: int = 1) -> str:
    """Name the Job of an attempt of the run."""
    return names.build_job_name("tick", RUN_UID, attempt)


STARTED = {
    "scheduledJobUid": UID,
    "verdict": "Started",
    "runId": RUN_UID,
    "jobName": name_job(),
    "startedAt": format_instant(at(12)),
    "conditions": [
        {"type": kind, "status": status, "reason": "x", "lastTransitionTime": format_instant(at(12))}
        for kind, status in (("Started", "True"), ("Complete", "False"))
    ],
}
"""The status of one whose run is active."""


def complete(status: dict[str, Any], when: float = 20) -> dict[str, Any]:
    """Give a status that says that all is over since that time."""
    since = {"lastTransitionTime": format_instant(at(when)), "reason": "x"}
    over = since | {"type": "Complete", "status": "True"}
    return {"result": "Failed"} | status | {"conditions": [over]}


RUNNING = build_observed(None, run_id="other", trigger="manual", created=1)
"""The Job of another manual run that is active."""

SEEN = {"scheduledJobUid": UID, "reason": "CreateFailed"}
"""The status of one that was seen and has not started."""

MANUAL = build_observed(None, **build_run_marks())
"""The Job of the run, active."""


def ended(condition: str = "Complete", **how: Any) -> ObservedJob:
    """Build the Job of the run as it has ended."""
    return build_observed(None, condition, **build_run_marks(ended=18, **how))


def tell_active(job: ObservedJob) -> dict[str, Any]:
    """Build a status that tells of an active run that somebody asked for."""
    entry = {"trigger": "manual", "job": job.name, "startedAt": format_instant(job.created_at)}
    return {"active": [entry | {"runId": job.run_id}]}
