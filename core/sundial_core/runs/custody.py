"""Which Jobs are ours: one rule for all who take a Job for that of a run.

The rule: docs/semantics.md, "Which Jobs are ours". A Job that is not ours makes no slot Started, holds no
place, and is neither ended nor deleted.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Protocol

from sundial_core.resources import names
from sundial_core.resources.objects import ScheduledJobRun
from sundial_core.resources.phases import Trigger
from sundial_core.resources.raw import JsonObject
from sundial_core.runs.jobs import ObservedJob, parse_job


class Parent(Protocol):
    """What is asked of a ScheduledJob."""

    @property
    def ns(self) -> str:
        """Its namespace."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def uid(self) -> str:
        """Its UID."""


@dataclass(frozen=True, slots=True)
class Custody:
    """The Jobs that have a ScheduledJob as controller: those that are `ours`, and the `strangers`."""

    ours: tuple[ObservedJob, ...] = ()
    strangers: tuple[ObservedJob, ...] = ()


def is_ours(job: ObservedJob, parent: Parent, asked: Container[str]) -> bool:
    """Tell whether a Job is an attempt of a run of a ScheduledJob; `asked` are the runs asked for, by id.

    The run of a slot proves itself: its id is made of UID and slot. One that was asked for does not.
    """
    if (job.owner_uid, job.ns, job.named_for) != (parent.uid, parent.ns, parent.name):
        return False
    return job.trigger is Trigger.SCHEDULE or job.run_id in asked


def is_job_of(item: JsonObject, parent: Parent, run_id: str, name: str) -> bool:
    """Tell from its JSON whether a Job is that of an attempt of a known run; its term does not matter."""
    try:
        job = parse_job(item)
    except (KeyError, TypeError, ValueError):
        return False
    return (job.run_id, job.name) == (run_id, name) and is_ours(job, parent, (run_id,))


def is_in_sight(item: JsonObject) -> bool:
    """Tell whether a Job has the label by which watches and lists find it: of another they tell nothing."""
    return names.SCHEDULED_JOB_UID in (item["metadata"].get("labels") or {})


def sort_jobs(jobs: Iterable[ObservedJob], parent: Parent, asked: Container[str]) -> Custody:
    """Tell our Jobs from others."""
    ours: list[ObservedJob] = []
    strangers: list[ObservedJob] = []
    for job in jobs:
        (ours if is_ours(job, parent, asked) else strangers).append(job)
    return Custody(tuple(ours), tuple(strangers))


def is_for(request: ScheduledJobRun, parent: Parent) -> bool:
    """Tell whether a ScheduledJobRun asks for a run of this ScheduledJob, not of one of its name before."""
    seen = request.status.get("scheduledJobUid") or parent.uid
    return (request.ns, request.parent_name, seen) == (parent.ns, parent.name, parent.uid)
