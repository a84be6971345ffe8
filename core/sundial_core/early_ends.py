"""Which attempts are to be ended now: asked to, not started in time, replaced, or held back."""

from __future__ import annotations

from collections.abc import Iterable

from sundial_core import endings, overdue, starts
from sundial_core.attempts import NextAttempt
from sundial_core.conditions import Reason
from sundial_core.endings import Ending
from sundial_core.holds import Hold
from sundial_core.judging import count_active
from sundial_core.model import ConcurrencyPolicy
from sundial_core.overdue import Overdue
from sundial_core.plans import Plan
from sundial_core.queues import Placed, Turns
from sundial_core.runs import KnownRuns, ObservedJob, Trigger
from sundial_core.views import Moment, View


def find_endings(
    view: View,
    moment: Moment,
    known: KnownRuns,
    open_ends: Iterable[NextAttempt],
    placed: Placed,
    watched: Iterable[Overdue],
) -> tuple[Ending, ...]:
    """Find what is to be ended; a run whose next attempt may exist by now is not between attempts."""
    active = [job for job in moment.newest.values() if not known[job.run_id].phase.is_result]
    asked = endings.find_cancelled(view.jobs, active)
    stopped = [
        Ending(one.after, Reason.RETRIES_STOPPED) for one in open_ends if is_stopped(one.after, moment.hold)
    ]
    late = starts.find_late_starts(known, active, view.pods, moment.now)
    stuck = overdue.find_endings(watched)
    ended = {ending.job.uid: ending for ending in (*stuck, *late, *stopped, *asked)}
    excess = _count_excess(view, moment, known, placed) - len(asked)
    if excess > 0:
        rest = [job for job in active if job.uid not in ended]
        ended |= {one.job.uid: one for one in endings.find_replaced(rest, view.jobs, excess)}
    return tuple(ending for ending in ended.values() if ending.job.run_id not in view.memory.landing)


def _count_excess(view: View, moment: Moment, known: KnownRuns, placed: Placed) -> int:
    """Count the runs that have to be ended for what replaces them, beyond those that are ending.

    Only a stored slot ends a run: otherwise a crash could lose both. A ScheduledJobRun is stored.
    """
    rule = view.plan.spec.concurrency if isinstance(view.plan, Plan) else None
    creating = view.memory.creating | set(placed.starts)
    stored = {one.slot for one in moment.stored.queued} - creating
    turns = placed.asked or Turns()
    replacing = [one for one in placed.waiting if one.slot in stored]
    replacing_runs = [reason for reason in turns.waiting.values() if reason is Reason.REPLACING]
    if rule is None or rule.policy is not ConcurrencyPolicy.REPLACE:
        return 0
    wanted = len(replacing) + len(replacing_runs)
    if not wanted or not view.circumstances.may_start or moment.is_stopped:
        return 0
    newest = moment.newest
    going = [
        run
        for run in known.holding
        if (run.phase.is_result or (run.run_id in newest and endings.is_ending(newest[run.run_id])))
    ]
    active = count_active(known, creating, view.memory.retrying | turns.starts)
    return active + wanted - rule.max_instances - len(going)


def is_stopped(job: ObservedJob, hold: Hold | None) -> bool:
    """Tell whether a run's further attempts are stopped: those of manual runs go on, a person asked."""
    return hold is not None and job.trigger is Trigger.SCHEDULE
