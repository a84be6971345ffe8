"""Where a run stands: read from its newest Job and Pods, from a status, or known to be lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from sundial_clock.instants import parse_instant
from sundial_core.resources.phases import Phase, Trigger
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import Reason
from sundial_core.runs import marks
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.pods import ObservedPod
from sundial_core.runs.run import Run
from sundial_core.runs.runner_pods import NOT_RUNNABLE

MAX_RELEASE_AGE = timedelta(minutes=5)
"""How long a run with a result keeps its place while its Pods are not known to be gone (dead node)."""


def build_run(job: ObservedJob, pods: Iterable[ObservedPod], now: datetime) -> Run:
    """Read a run from the Job of its newest attempt and that Job's Pods."""
    pods = tuple(pods)
    is_held = job.released_at is None and (job.result_at is None or now < job.result_at + MAX_RELEASE_AGE)
    has_started = job.phase is Phase.PENDING and any(pod.has_started for pod in pods)
    reason, message = job.reason, job.message
    if job.phase is Phase.FAILED:
        reason, message = next((pod.failure for pod in pods if pod.failure), (reason, message))
        if is_not_runnable(pods):
            reason, message = Reason.NOT_RUNNABLE.value, _say_not_runnable(job)
    if job.released_at is None and not is_held:
        message = f"{reason}; its Pods are not known to be gone five minutes later"
        reason = Reason.POD_UNREACHABLE.value
    return Run(
        run_id=job.run_id,
        slot=job.slot,
        trigger=job.trigger,
        attempt=job.attempt,
        job_name=job.name,
        phase=Phase.RUNNING if has_started else job.phase,
        reason=reason if job.phase is not Phase.SUCCEEDED else "",
        message=message if job.phase is not Phase.SUCCEEDED else "",
        started_at=job.created_at,
        completed_at=job.result_at,
        counts_as_active=is_held,
        start_by=find_start_by(job) if job.phase is Phase.PENDING and not has_started else None,
        overdue_at=compute_overdue_at(job) if job.result_at is None else None,
    )


def is_not_runnable(pods: Iterable[ObservedPod]) -> bool:
    """Tell whether the runner has found that what it is to run cannot be run."""
    return any(pod.runner_exit_code == NOT_RUNNABLE for pod in pods)


def _say_not_runnable(job: ObservedJob) -> str:
    return (
        f"the runner exited with code {NOT_RUNNABLE}: path, arguments or Celery application do not fit, so it"
        f" is not tried again; what is wrong is in kubectl logs job/{job.name}"
    )


def parse_recorded_run(entry: JsonObject) -> Run:
    """Read an active run back from a status; where it stands is unknown until its Job is read."""
    slot, started_at = entry.get("slot"), entry.get("startedAt")
    return Run(
        run_id=entry["runId"],
        slot=parse_instant(slot) if slot else None,
        trigger=Trigger(entry.get("trigger", Trigger.SCHEDULE)),
        attempt=int(entry.get("attempt", 1)),
        job_name=entry["job"],
        phase=Phase.UNKNOWN,
        reason="",
        message="",
        started_at=parse_instant(started_at) if started_at else None,
        completed_at=None,
        counts_as_active=True,
    )


def find_start_by(job: ObservedJob) -> datetime | None:
    """Find until when a container of an attempt has to have started.

    None while that is not known: the answer to a create is metadata only, the spec comes with the watch. None
    too while the Job is suspended; once it is resumed, its start time is that of the resumption.
    """
    if job.is_suspended or (not job.start_timeout_seconds and not job.timeout_seconds):
        return None
    seconds = job.start_timeout_seconds or compute_start_timeout(job.timeout_seconds)
    return max(job.created_at, job.started_at or job.created_at) + timedelta(seconds=seconds)


OVERDUE_AFTER = timedelta(minutes=5)
"""How long after its deadline an attempt without a result is overdue."""


def compute_overdue_at(job: ObservedJob) -> datetime:
    """Find when an attempt is overdue if it has no result by then."""
    seconds = job.timeout_seconds or marks.MAX_SECONDS
    return (job.started_at or job.created_at) + timedelta(seconds=seconds) + OVERDUE_AFTER


def compute_start_timeout(timeout_seconds: int) -> int:
    """Find how many seconds an attempt may take to start, where nothing else is said."""
    return max(1, min(MAX_START_SECONDS, timeout_seconds * 8 // 10))


MAX_START_SECONDS = 600


def build_lost_run(run: Run, now: datetime) -> Run:
    """Describe a run whose newest Job is gone: a result that it had stands, else it was cancelled by that."""
    if run.phase.is_result:
        return replace(run, counts_as_active=False)
    return replace(
        run,
        overdue_at=None,
        phase=Phase.CANCELLED,
        reason=Reason.JOB_DELETED.value,
        message=f"its Job {run.job_name} was deleted, or has lost our label",
        completed_at=now,
        counts_as_active=False,
    )
