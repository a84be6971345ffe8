"""Which finished Jobs may go (semantics, "History in the cluster")."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sundial_core.corrections import is_contradicted
from sundial_core.model import History
from sundial_core.plans import Plan, Problem
from sundial_core.runs import ObservedJob, Phase, Trigger
from sundial_core.stored import Stored


@dataclass(frozen=True, slots=True)
class Limits:
    """An installation's limits: how long a finished Job stays at least as the tombstone of its name."""

    tombstone: timedelta


def choose_deletable(
    jobs: Iterable[ObservedJob], stored: Stored, plan: Plan | Problem, limits: Limits, now: datetime
) -> tuple[tuple[ObservedJob, ...], datetime | None]:
    """Choose the Jobs that may be deleted now, and find when the next one may.

    All Jobs of a run go together, once its outcome is stored and the floor has passed. A schedule
    with a problem keeps them all: how many its user wants is not known.
    """
    if isinstance(plan, Problem):
        return (), None
    surplus = _find_surplus(_group_ended(jobs, stored), plan.spec.history)
    deletable: list[ObservedJob] = []
    waiting: list[datetime] = []
    for run in surplus:
        may_go_at = max(job.released_at for job in run if job.released_at) + limits.tombstone
        if may_go_at > now:
            waiting.append(may_go_at)
        else:
            deletable += [job for job in run if not job.is_deleting]
    return tuple(deletable), min(waiting, default=None)


def _group_ended(jobs: Iterable[ObservedJob], stored: Stored) -> list[list[ObservedJob]]:
    """Group by run the Jobs whose runs have ended and are stored as ended, newest run first."""
    by_run: dict[str, list[ObservedJob]] = {}
    for job in jobs:
        by_run.setdefault(job.run_id, []).append(job)
    ended = [run for run in by_run.values() if _has_ended(run, stored)]
    return sorted(ended, key=lambda run: max(map(_age, run)), reverse=True)


def _has_ended(run: list[ObservedJob], stored: Stored) -> bool:
    return all(job.released_at is not None and is_stored_as_ended(job, stored) for job in run)


def is_stored_as_ended(job: ObservedJob, stored: Stored) -> bool:
    """Tell whether the status has the end of a Job's run: its slot is decided, and it is not active.

    The cursor says nothing of a run that was asked for: its result stays shown as long as it has Jobs.
    """
    if job.run_id in stored.active or stored.cursor is None:
        return False
    if job.trigger is not Trigger.SCHEDULE:
        return job.run_id in stored.results
    if job.slot is None or job.slot > stored.cursor or stored.is_queued(job.slot):
        return False
    return not is_contradicted(job, stored)


def _find_surplus(ended: list[list[ObservedJob]], history: History) -> list[list[ObservedJob]]:
    """Keep the newest runs of each result; the others are surplus."""
    successful = [run for run in ended if max(run, key=_attempt).phase is Phase.SUCCEEDED]
    failed = [run for run in ended if max(run, key=_attempt).phase is not Phase.SUCCEEDED]
    return successful[history.successful :] + failed[history.failed :]


def _age(job: ObservedJob) -> tuple[datetime, datetime]:
    """Order Jobs by creation; the API server cuts that to seconds, so slots tell within one."""
    return job.created_at, job.slot or job.created_at


def _attempt(job: ObservedJob) -> int:
    return job.attempt
