"""Which attempts are to be ended now: asked to, not started in time, replaced, or held back."""

from __future__ import annotations

from collections.abc import Iterable

from sundial_core.decision.concurrency import Placement, RequestPlacement, count_active
from sundial_core.decision.snapshot import Context, Snapshot
from sundial_core.resources.phases import Trigger
from sundial_core.resources.plans import Plan
from sundial_core.resources.reasons import Reason
from sundial_core.resources.specs import ConcurrencyPolicy
from sundial_core.resources.suspension import Suspension
from sundial_core.runs import early_ends, overdue, start_timeouts
from sundial_core.runs.early_ends import Termination
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.overdue import Overdue
from sundial_core.runs.retries import NextAttempt
from sundial_core.runs.run import KnownRuns
from sundial_core.status.omitted import list_manual_run_ids


def list_terminations(
    snapshot: Snapshot,
    context: Context,
    known: KnownRuns,
    open_ends: Iterable[NextAttempt],
    placement: Placement,
    watched: Iterable[Overdue],
) -> tuple[Termination, ...]:
    """Find what is to be ended; a run whose next attempt may exist by now is not between attempts."""
    active = [job for job in context.newest.values() if not known[job.run_id].phase.is_result]
    asked = [*early_ends.list_cancelled(snapshot.jobs, active), *_list_withdrawn(snapshot, context, active)]
    stopped = [
        Termination(open_end.after, Reason.RETRIES_STOPPED)
        for open_end in open_ends
        if are_retries_stopped(open_end.after, context.suspension)
    ]
    late = start_timeouts.list_late_starts(known, active, snapshot.pods, context.now)
    stuck = overdue.list_stuck(watched)
    ended = {ending.job.uid: ending for ending in (*stuck, *late, *stopped, *asked)}
    excess = _count_excess(snapshot, context, known, placement) - len(asked)
    if excess > 0:
        rest = [job for job in active if job.uid not in ended]
        ended |= {ending.job.uid: ending for ending in early_ends.list_replaced(rest, snapshot.jobs, excess)}
    return tuple(ending for ending in ended.values() if ending.job.run_id not in snapshot.memory.landing)


def _list_withdrawn(
    snapshot: Snapshot, context: Context, active: Iterable[ObservedJob]
) -> Iterable[Termination]:
    """Find the runs whose ScheduledJobRun was deleted before a status told of them: their creates were sent.

    The rule: docs/semantics.md, "Cancelling".
    """
    requests = [request for request in snapshot.run_requests if not request.is_deleting]
    proved = list_manual_run_ids(snapshot.jobs, snapshot.job, context.stored.status, requests)
    return (
        Termination(job, Reason.CANCELLED, "its ScheduledJobRun was deleted before it started")
        for job in active
        if job.trigger is not Trigger.SCHEDULE and job.run_id not in proved and not early_ends.is_ending(job)
    )


def _count_excess(snapshot: Snapshot, context: Context, known: KnownRuns, placement: Placement) -> int:
    """Count the runs that have to be ended for what replaces them, beyond those that are ending.

    Only a stored slot ends a run: otherwise a crash could lose both. A ScheduledJobRun is stored.
    """
    rule = snapshot.plan.spec.concurrency if isinstance(snapshot.plan, Plan) else None
    creating = snapshot.memory.creating | set(placement.starts)
    stored = {entry.slot for entry in context.stored.queued} - creating
    turns = placement.requests or RequestPlacement()
    replacing = [entry for entry in placement.waiting if entry.slot in stored]
    if rule is None or rule.policy is not ConcurrencyPolicy.REPLACE:
        return 0
    wanted = len(replacing) + len(turns.waiting)
    if not wanted or not snapshot.installation.may_start or context.is_stopped:
        return 0
    newest = context.newest
    going = [
        run
        for run in known.holding
        if (run.phase.is_result or (run.run_id in newest and early_ends.is_ending(newest[run.run_id])))
    ]
    active = count_active(known, creating, snapshot.memory.retrying | turns.starts)
    return active + wanted - rule.max_instances - len(going)


def are_retries_stopped(job: ObservedJob, suspension: Suspension | None) -> bool:
    """Tell whether a run's further attempts are stopped: those of manual runs go on, a person asked."""
    return suspension is not None and job.trigger is Trigger.SCHEDULE
