"""Ending an attempt early: which ones, what is written on the Job, what that makes of the run.

The rules: docs/semantics.md, "Ending an attempt early". The Job controller stops the Pods; the Job stays as
the record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sundial_core.resources import names
from sundial_core.resources.phases import Phase, Trigger
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import Reason
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.run import Run

RUN_ENDING_REASONS = (Reason.REPLACED, Reason.CANCELLED, Reason.RETRIES_STOPPED)
"""What ends a run; StartTimeout and Overdue end an attempt only."""


@dataclass(frozen=True, slots=True)
class Termination:
    """An attempt to be ended, or between two attempts its run; `message` says more than the reason."""

    job: ObservedJob
    reason: Reason
    message: str = ""


def build_termination_patch(ending: Termination) -> JsonObject:
    """Build the patch of a Job that ends it, guarded by its resourceVersion.

    A Job that has its result already is only marked. One that somebody has suspended goes on in order to end,
    with a deadline that has passed before a Pod is made: while it is suspended no deadline counts.
    """
    job = ending.job
    marks: dict[str, str | None] = {names.ENDED: ending.reason.value, names.TIMEOUT: None}
    if ending.message:
        marks[names.ENDED_MESSAGE] = ending.message
    metadata = {"resourceVersion": str(job.resource_version), "annotations": marks}
    if job.result_at is not None:
        return {"metadata": metadata}
    marks[names.TIMEOUT] = str(job.timeout_seconds)
    if job.is_suspended:
        return {"metadata": metadata, "spec": {"activeDeadlineSeconds": 0, "suspend": False}}
    return {"metadata": metadata, "spec": {"activeDeadlineSeconds": 1}}


def list_cancelled(jobs: Iterable[ObservedJob], newest: Iterable[ObservedJob]) -> list[Termination]:
    """Find the runs that a person wants to end: the mark may be on the Job of any of their attempts."""
    cancelled = {job.run_id for job in jobs if job.is_cancelled}
    return [
        Termination(job, Reason.CANCELLED)
        for job in newest
        if job.run_id in cancelled and job.ended not in RUN_ENDING_REASONS
    ]


def list_replaced(
    active: Iterable[ObservedJob], jobs: Iterable[ObservedJob], count: int
) -> list[Termination]:
    """Find the oldest active runs that are not ending, to be replaced by newer slots.

    A run is as old as the first of its `jobs`, whatever slot it is for; the API server cuts that to seconds,
    so within one the slots of the schedule tell.
    """
    began: dict[str, datetime] = {}
    for job in jobs:
        began[job.run_id] = min(job.created_at, began.get(job.run_id, job.created_at))

    def age(job: ObservedJob) -> tuple[datetime, datetime, str]:
        since = began.get(job.run_id, job.created_at)
        slot = job.slot if job.trigger is Trigger.SCHEDULE else None
        return since, slot or since, job.name

    going_on = sorted((job for job in active if not is_ending(job) and not job.is_deleting), key=age)
    return [Termination(job, Reason.REPLACED) for job in going_on[:count]]


def is_ending(job: ObservedJob) -> bool:
    """Tell whether somebody has ended a run, its Pods gone or not."""
    return job.ended in RUN_ENDING_REASONS


def without_retries(run: Run) -> Run:
    """Describe a run whose further attempts were stopped: its last failure is its result."""
    message = f"attempt {run.attempt} failed ({run.reason}); suspended or paused before the next"
    return replace(run, phase=Phase.FAILED, reason=Reason.RETRIES_STOPPED.value, message=message)


def with_termination(run: Run, job: ObservedJob) -> Run:
    """Describe a run as it was ended early, if that is what decided its result.

    It did if the Job then passed its new deadline, or if the attempt had failed before.
    """
    if run.phase not in (Phase.FAILED, Phase.TIMED_OUT) or not job.ended:
        return run
    if job.ended == Reason.RETRIES_STOPPED:
        return without_retries(run)
    if job.is_cut_short and run.phase is not Phase.TIMED_OUT:
        return run
    if job.ended in RUN_ENDING_REASONS:
        message = job.ended_message or MESSAGES[job.ended]
        return replace(run, phase=Phase.CANCELLED, reason=job.ended, message=message)
    if job.ended == Reason.START_TIMEOUT:
        message = job.ended_message or MESSAGES[job.ended]
        return replace(run, phase=Phase.FAILED, reason=Reason.START_FAILED.value, message=message)
    return run


MESSAGES: dict[str, str] = {
    Reason.REPLACED: "a newer slot took its place",
    Reason.CANCELLED: "ended by a person",
    Reason.START_TIMEOUT: "no container started in time",
}
