"""Which finished Jobs may go (docs/semantics.md, "History in the cluster").

The leader deletes them, in `sundial_operator/outputs/job_writes.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from sundial_core.coordination.fence import FenceState
from sundial_core.coordination.mirror_progress import Mirrored
from sundial_core.resources.phases import Phase, Trigger
from sundial_core.resources.plans import Plan, Problem
from sundial_core.resources.specs import History
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.pods import ObservedPod
from sundial_core.runs.run import Run
from sundial_core.status.corrections import is_contradicted
from sundial_core.status.stored import StoredStatus


class Cap(StrEnum):
    """Which cap a finished Job is beyond."""

    SCHEDULE = "schedule"
    INSTALLATION = "installation"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many finished Jobs an installation keeps, and for how long each stays at least."""

    tombstone: timedelta
    """For how long a finished Job keeps its name from being used again."""
    capped_tombstone: timedelta = timedelta(seconds=180)
    """The same for Jobs beyond a cap."""
    most_finished: int = 100
    """How many finished Jobs a schedule keeps."""
    excess: frozenset[str] = frozenset()
    """The UIDs of those of the schedule's Jobs that are beyond the installation's cap."""
    mirrored: Mirrored | None = None
    """How far the mirror has read: Jobs beyond that stay, but for a cap. None: nobody mirrors."""


def compute_floors(fence: FenceState, chosen_seconds: int) -> tuple[timedelta, timedelta]:
    """Compute the tombstone floors: the usual one, and the shorter one of Jobs beyond a cap.

    A create that got no answer may still land for 60 s, so both are longer than that.
    """
    has_fence = fence is FenceState.OK
    usual, capped = chosen_seconds or (60 if has_fence else 600), 90 if has_fence else 180
    return timedelta(seconds=usual), timedelta(seconds=min(capped, chosen_seconds or capped))


@dataclass(frozen=True, slots=True)
class Deletions:
    """The Jobs that may be deleted now, by UID the cap that some are beyond, and when the next one may.

    `awaits_mirror`: more might go if the database had them.
    """

    jobs: tuple[ObservedJob, ...] = ()
    next_at: datetime | None = None
    capped: Mapping[str, Cap] = field(default_factory=dict)
    awaits_mirror: bool = False


PodsOf = Mapping[str, tuple[ObservedPod, ...]]
NO_PODS: PodsOf = MappingProxyType({})


def decide_deletions(
    jobs: Collection[ObservedJob],
    stored: StoredStatus,
    plan: Plan | Problem,
    limits: Limits,
    now: datetime,
    pods: PodsOf = NO_PODS,
) -> Deletions:
    """Choose the Jobs that may be deleted; `pods` are those of each Job, by its UID.

    All Jobs of a run go together, once its outcome is stored and the floor has passed. Of a schedule with a
    problem how many its user wants is not known: it keeps them all, up to the caps.
    """
    ended = _group_ended(jobs, stored)
    surplus = [] if isinstance(plan, Problem) else _list_surplus(ended, plan.spec.history)
    finished = sum(job.released_at is not None for job in jobs)
    capped = _choose_capped(ended, finished, limits)
    unmirrored = {_id(run) for run in ended if not _is_mirrored(run, limits, pods)}
    going = list(_list_deletions(ended, {_id(run) for run in surplus} - unmirrored, capped, limits, now))
    due = [departure for departure in going if departure.at <= now]
    return Deletions(
        jobs=tuple(job for departure in due for job in departure.run if not job.is_deleting),
        next_at=min((departure.at for departure in going if departure.at > now), default=None),
        capped={job.uid: departure.cap for departure in due if departure.cap for job in departure.run},
        awaits_mirror=any(_id(run) in unmirrored for run in surplus),
    )


def _is_mirrored(run: list[ObservedJob], limits: Limits, pods: PodsOf) -> bool:
    """Tell whether the database has all of a run, or nobody mirrors."""
    mirrored = limits.mirrored
    return mirrored is None or all(mirrored.has(job, pods.get(job.uid, ())) for job in run)


@dataclass(frozen=True, slots=True)
class _Deletion:
    """A run whose Jobs go at an instant, by a cap or (None) by the schedule's history."""

    run: list[ObservedJob]
    at: datetime
    cap: Cap | None = None


def _list_deletions(
    ended: Iterable[list[ObservedJob]],
    surplus: Collection[str],
    capped: Mapping[str, Cap],
    limits: Limits,
    now: datetime,
) -> Iterator[_Deletion]:
    """Find when which runs go; a cap is the reason only for what the history would keep for longer."""
    for run in ended:
        released_at = max(job.released_at for job in run if job.released_at)
        is_surplus, cap = _id(run) in surplus, capped.get(_id(run))
        is_first = limits.tombstone <= limits.capped_tombstone or released_at + limits.tombstone <= now
        if cap is not None and not (is_surplus and is_first):
            yield _Deletion(run, released_at + limits.capped_tombstone, cap)
        elif is_surplus:
            yield _Deletion(run, released_at + limits.tombstone)


def _choose_capped(ended: list[list[ObservedJob]], finished: int, limits: Limits) -> dict[str, Cap]:
    """Find the runs beyond a cap: the oldest of the schedule's, and those that the installation names."""
    capped = {_id(run): Cap.INSTALLATION for run in ended if any(job.uid in limits.excess for job in run)}
    for run in reversed(ended):
        if finished <= limits.most_finished:
            break
        capped[_id(run)] = Cap.SCHEDULE
        finished -= len(run)
    return capped


def _id(run: list[ObservedJob]) -> str:
    return run[0].run_id


def _group_ended(jobs: Collection[ObservedJob], stored: StoredStatus) -> list[list[ObservedJob]]:
    """Group by run the Jobs whose runs have ended and are stored as ended, newest run first."""
    by_run: dict[str, list[ObservedJob]] = {}
    going_on = {job.run_id for job in jobs if job.released_at is None}
    for job in jobs:
        if job.run_id not in going_on:
            by_run.setdefault(job.run_id, []).append(job)
    ended = [run for run in by_run.values() if _has_ended(run, stored)]
    return sorted(ended, key=lambda run: max(map(_age, run)), reverse=True)


def _has_ended(run: list[ObservedJob], stored: StoredStatus) -> bool:
    return all(is_stored_as_ended(job, stored) for job in run)


def is_stored_as_ended(run: ObservedJob | Run, stored: StoredStatus) -> bool:
    """Tell whether the status has the end of a run: its slot is decided, and it is not active.

    The cursor says nothing of a run that was asked for: its result stays shown as long as it has Jobs.
    """
    if run.run_id in stored.active or stored.cursor is None:
        return False
    if run.trigger is not Trigger.SCHEDULE:
        return run.run_id in stored.results
    if run.slot is None or run.slot > stored.cursor or stored.is_queued(run.slot):
        return False
    return not stored.omits(run) and not is_contradicted(run, stored)


def _list_surplus(ended: list[list[ObservedJob]], history: History) -> list[list[ObservedJob]]:
    """Keep the newest runs of each result; the others are surplus."""
    successful = [run for run in ended if max(run, key=_attempt).phase is Phase.SUCCEEDED]
    failed = [run for run in ended if max(run, key=_attempt).phase is not Phase.SUCCEEDED]
    return successful[history.successful :] + failed[history.failed :]


def _age(job: ObservedJob) -> tuple[datetime, datetime]:
    """Order Jobs by creation; the API server cuts that to seconds, so slots tell within one."""
    return job.created_at, job.slot or job.created_at


def _attempt(job: ObservedJob) -> int:
    return job.attempt
