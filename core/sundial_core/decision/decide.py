"""Decides what to do about one ScheduledJob: spec, observed state and time in, a value out.

Nothing here acts. What must happen is described by `Decision`; the operator applies it. The same
state and time give the same decision, on every replica and after every restart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sundial_clock import instants
from sundial_core.decision import clock_skew, unstored_limit
from sundial_core.decision import run_requests as run_requests_module
from sundial_core.decision.concurrency import Placement
from sundial_core.decision.installation import Trust
from sundial_core.decision.job_deletions import (
    Deletions,
    Limits,
    decide_deletions,
    is_stored_as_ended,
)
from sundial_core.decision.remembered import Backlog
from sundial_core.decision.run_requests import ParentState, RunRequestDecision
from sundial_core.decision.slots import decide_slots
from sundial_core.decision.snapshot import Context, Snapshot, build_context
from sundial_core.decision.terminations import are_retries_stopped, list_terminations
from sundial_core.decision.waiting_slots import has_ended
from sundial_core.resources import names
from sundial_core.resources.phases import Phase, Trigger
from sundial_core.resources.plans import Plan, Problem
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.specs import Retry
from sundial_core.runs import (
    early_ends,
    overdue,
    start_timeouts,
    state,
)
from sundial_core.runs.early_ends import Termination
from sundial_core.runs.manifests import Attempt, Owner
from sundial_core.runs.overdue import Overdue
from sundial_core.runs.retries import (
    NextAttempt,
    as_waiting,
    find_next_attempt,
    parse_retry,
)
from sundial_core.runs.run import KnownRuns, Run
from sundial_core.status import conditions, corrections
from sundial_core.status.queued import QueueEntry
from sundial_core.status.scheduled_jobs import (
    UPCOMING,
    Report,
    build_status,
    list_upcoming,
)
from sundial_core.status.stored import parse_stored_status
from sundial_core.status.urgency import Urgency, decide_urgency
from sundial_core.status.verdicts import VerdictRecord

TOLD_WITHIN = timedelta(seconds=5)
"""How soon the status is built at the latest after slots have started, answered or not."""

SEARCH_AGAIN_AFTER = timedelta(days=30)
"""How soon a schedule without a slot in ten years is searched again; such a search takes milliseconds."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one ScheduledJob, and when to reconcile it again."""

    starts: tuple[Attempt, ...] = ()
    retries: tuple[NextAttempt, ...] = ()
    endings: tuple[Termination, ...] = ()
    served: frozenset[datetime] = frozenset()
    """Slots of `starts` that had waited in the queue."""
    verdicts: tuple[VerdictRecord, ...] = ()
    """To be remembered until a status that holds them is stored, as is `queued`."""
    queued: tuple[QueueEntry, ...] = ()
    decided_until: datetime | None = None
    between: frozenset[str] = frozenset()
    """The ids of runs between two attempts."""
    backlog: Backlog | None = None
    """What waits to be stored; None where nothing was decided about that."""
    withheld: tuple[VerdictRecord, ...] = ()
    """Verdicts that are decided anew each time while too little could be stored."""
    is_stopped: bool = False
    """Nothing may start: too little of this ScheduledJob could be stored."""
    deletes: Deletions = field(default_factory=Deletions)
    run_requests: RunRequestDecision | None = None
    """None where nothing was decided about ScheduledJobRuns."""
    missing: tuple[Run, ...] = ()
    """Active runs whose Job is not known, or overdue: read it uncached before concluding anything."""
    status: JsonObject | None = None
    urgency: Urgency = Urgency.NONE
    is_told_later: bool = False
    """The status stays as it was decided before until the starts are answered."""
    requeue_at: datetime | None = None
    reset_at: datetime | None = None


def decide(snapshot: Snapshot, now: datetime, limits: Limits) -> Decision:
    """Decide about one ScheduledJob at `now`."""
    if snapshot.job.is_deleting:
        return _decide_orphans(snapshot, now)
    if snapshot.installation.trust is Trust.UNTRUSTED:
        return _freeze(snapshot, now)
    written, snapshot = snapshot.job.status, clock_skew.with_clock_reset(snapshot, now)
    stored = parse_stored_status(snapshot.job.status)
    context = build_context(snapshot, stored, now)
    open_ends = _list_open_ends(snapshot, context)
    known = _observe_runs(snapshot, context, open_ends)
    candidates = run_requests_module.list_candidates(
        snapshot.run_requests, _build_parent_state(snapshot, context, known), now
    )
    context = replace(context, waiting_requests=run_requests_module.list_waiting_requests(candidates))
    placement = decide_slots(snapshot, context, known)
    answers = run_requests_module.decide_run_requests(candidates, placement.requests, now)
    is_told_later = _is_told_later(snapshot, context, placement)
    unsettled = run_requests_module.list_unsettled(snapshot.run_requests)
    report = _build_report(snapshot, context, known, placement, unsettled, is_told_later=is_told_later)
    status = None if is_told_later else build_status(report, stored, now)
    watched = list(overdue.watch(context.newest, known, snapshot.memory.read_at, now))
    ends = list_terminations(snapshot, context, known, open_ends, placement, watched)
    ended = snapshot.memory.ending | {ending.job.uid for ending in ends}
    settled = [job for job in snapshot.jobs if job.run_id not in unsettled]
    choice = decide_deletions(settled, stored, snapshot.plan, limits, now, snapshot.pods)
    others = [choice.next_at, answers.requeue_at, now + TOLD_WITHIN if is_told_later else None]
    return Decision(
        starts=tuple(_build_attempts(snapshot, placement.starts)),
        served=placement.served,
        retries=_select_retries(open_ends, snapshot, context, ended),
        endings=ends,
        verdicts=placement.verdicts,
        queued=placement.waiting,
        decided_until=_compute_decided_until(snapshot, context),
        between=frozenset(open_end.after.run_id for open_end in open_ends),
        backlog=unstored_limit.track_unstored(snapshot.memory, stored, placement.starts, now),
        withheld=placement.withheld,
        is_stopped=context.is_stopped,
        deletes=choice,
        run_requests=answers,
        missing=tuple(_list_missing(known.values(), watched, now)),
        status=status,
        urgency=_decide_urgency(snapshot, written, status),
        is_told_later=is_told_later,
        requeue_at=_compute_requeue(report, [*others, *_list_later(watched, now)], now),
        reset_at=snapshot.memory.reset_at,
    )


def _decide_orphans(snapshot: Snapshot, now: datetime) -> Decision:
    """Decide about the run requests of a ScheduledJob that is being deleted, and about nothing else."""
    if not snapshot.run_requests:
        return Decision()
    orphans = run_requests_module.decide_orphaned_run_requests(
        snapshot.run_requests, snapshot.memory.run_request_statuses, snapshot.jobs, now
    )
    return Decision(run_requests=orphans, requeue_at=orphans.requeue_at)


def _decide_urgency(snapshot: Snapshot, written: JsonObject, status: JsonObject | None) -> Urgency:
    """Decide how soon the status has to be written; what cannot be read there is mended soon."""
    urgency = decide_urgency(written, status) if status is not None else Urgency.NONE
    return max(urgency, Urgency.SOON) if snapshot.job.unreadable and status is not None else urgency


def _is_told_later(snapshot: Snapshot, context: Context, placement: Placement) -> bool:
    """Tell whether the status may wait until the new Jobs are there: nothing else has happened than starts.

    In a burst this leaves time for the creates. Verdicts, waiting slots and edits are told at once.
    """
    if (
        not placement.starts
        or placement.verdicts
        or placement.waiting
        or snapshot.memory.verdicts
        or snapshot.run_requests
    ):
        return False
    stored = context.stored
    is_known = stored.observed_generation == snapshot.job.generation and stored.seen == context.seen
    is_known = is_known and not snapshot.job.unreadable
    return is_known and stored.effective_from == context.effective_from


def _compute_decided_until(snapshot: Snapshot, context: Context) -> datetime | None:
    """Compute up to when all slots are decided for good; None if this decision does not move that."""
    is_deciding = isinstance(snapshot.plan, Plan) and context.suspension is None and not context.is_stopped
    return context.now if is_deciding else None


def _build_report(
    snapshot: Snapshot,
    context: Context,
    known: KnownRuns,
    placement: Placement,
    unsettled: frozenset[str],
    *,
    is_told_later: bool,
) -> Report:
    """Gather what the status is built from."""
    now, stored = context.now, context.stored
    given_up = {record.first for record in placement.verdicts}
    low = max(now, context.effective_from, stored.cursor or now)
    return Report(
        job=snapshot.job,
        plan=snapshot.plan,
        suspension=context.suspension,
        effective_from=context.effective_from,
        runs=known,
        verdicts=_list_unstored(snapshot, placement, known),
        creating=(snapshot.memory.creating - given_up) | frozenset(placement.starts),
        queued=placement.waiting,
        following=list_upcoming(snapshot.plan, context.suspension, low, 1 if is_told_later else UPCOMING),
        seen=context.seen,
        clock=clock_skew.decide_clock_condition(snapshot.installation, stored, snapshot, now),
        refusals={slot: words for slot, words in snapshot.memory.refusals.items() if slot not in given_up},
        lost=frozenset(snapshot.memory.lost),
        unsettled=unsettled,
        jobs=conditions.jobs_condition(
            snapshot.jobs, [job for job in snapshot.strangers if job.ns == snapshot.job.ns]
        ),
    )


def _list_unstored(snapshot: Snapshot, placement: Placement, known: KnownRuns) -> tuple[VerdictRecord, ...]:
    """Find the verdicts that no status holds yet, except on slots whose Jobs have turned up since."""
    schedule = snapshot.plan.schedule if isinstance(snapshot.plan, Plan) else None
    verdicts = (*snapshot.memory.verdicts, *placement.verdicts, *placement.withheld)
    return corrections.except_started(verdicts, known.started_slots, schedule)


def _freeze(snapshot: Snapshot, now: datetime) -> Decision:
    """Decide nothing: `now` is not to be trusted. What was decided before may still be stored."""
    status = clock_skew.tell_frozen(snapshot, now)
    return Decision(
        queued=snapshot.memory.queued,
        status=status,
        urgency=Urgency.NONE if status == snapshot.job.status else Urgency.LAZY,
        requeue_at=clock_skew.compute_frozen_requeue(snapshot, now),
        reset_at=snapshot.memory.reset_at,
    )


def _observe_runs(snapshot: Snapshot, context: Context, open_ends: Iterable[NextAttempt]) -> KnownRuns:
    """Find each run that has a Job, had one, or is shown as active by the stored status."""
    started = run_requests_module.read_started(
        snapshot.run_requests, snapshot.memory.run_request_statuses, snapshot.job.uid
    )
    known = KnownRuns(
        {run_id: run for run_id, run in started.items() if run_id not in context.stored.results}
    )
    known |= {run_id: state.parse_recorded_run(entry) for run_id, entry in context.stored.active.items()}
    known |= snapshot.memory.lost
    following = {open_end.after.run_id: open_end for open_end in open_ends}
    for run_id, job in context.newest.items():
        run = start_timeouts.read_run(job, snapshot.pods.get(job.uid, ()), context.now)
        if run_id not in following:
            known[run_id] = run
        elif are_retries_stopped(job, context.suspension) and run_id not in snapshot.memory.landing:
            known[run_id] = early_ends.without_retries(run)
        else:
            known[run_id] = as_waiting(run, following[run_id])
    known.update(snapshot.memory.failed)
    return known


def _list_open_ends(snapshot: Snapshot, context: Context) -> list[NextAttempt]:
    """List the runs whose newest attempt failed and that get another attempt."""
    failed = [
        job
        for job in context.newest.values()
        if job.phase in (Phase.FAILED, Phase.TIMED_OUT)
        and job.run_id not in context.stored.results
        and not is_stored_as_ended(job, context.stored)
    ]
    retry = parse_retry(snapshot.job.spec) if failed else Retry()
    found = (find_next_attempt(job, retry, snapshot.pods.get(job.uid, ())) for job in failed)
    return [following for following in found if following is not None]


def _select_retries(
    open_ends: Iterable[NextAttempt], snapshot: Snapshot, context: Context, ended: Collection[str]
) -> tuple[NextAttempt, ...]:
    """Select the next attempts that are due, but for those after a Job that is being ended."""
    return tuple(
        following
        for following in open_ends
        if following.after.uid not in ended and _is_due(following, snapshot, context)
    )


def _is_due(following: NextAttempt, snapshot: Snapshot, context: Context) -> bool:
    run_id = following.after.run_id
    is_open = run_id not in snapshot.memory.retrying and run_id not in snapshot.memory.failed
    is_open = is_open and snapshot.installation.may_start
    return (
        is_open
        and following.due_at <= context.now
        and not are_retries_stopped(following.after, context.suspension)
    )


def _build_parent_state(snapshot: Snapshot, context: Context, known: Mapping[str, Run]) -> ParentState:
    """Gather what the ScheduledJobRuns are decided by."""
    if not snapshot.run_requests:
        return ParentState()
    memory = snapshot.memory
    return ParentState(
        job=snapshot.job,
        plan=snapshot.plan,
        runs=known,
        ended={entry["runId"]: entry for entry in context.stored.list_ended()},
        refused=memory.rejected,
        postponed=memory.postponed,
        decided=memory.run_request_statuses,
        starting=memory.retrying,
        starts_held_by=snapshot.installation.starts_held_by,
        is_stopped=context.is_stopped,
    )


def _build_attempts(snapshot: Snapshot, starts: Iterable[datetime]) -> Iterable[Attempt]:
    if isinstance(snapshot.plan, Problem):
        return
    job, plan = snapshot.job, snapshot.plan
    owner = Owner(job.ns, job.name, job.uid, job.generation)
    for slot in starts:
        yield Attempt(
            owner=owner,
            run_id=names.build_run_id(job.uid, slot),
            trigger=Trigger.SCHEDULE,
            slot=slot,
            previous_slot=plan.schedule.previous_slot(slot),
            attempt=1,
            args=plan.spec.args,
            timeout_seconds=plan.timeout_seconds,
            start_timeout_seconds=plan.spec.start_timeout_seconds or 0,
        )


def _list_missing(known: Iterable[Run], watched: Iterable[Overdue], now: datetime) -> Iterator[Run]:
    """Find the runs whose Job is to be read: it is not known, or what is known of it may be wrong."""
    yield from (run for run in known if run.phase is Phase.UNKNOWN)
    yield from (attempt.run for attempt in watched if attempt.at <= now)


def _list_later(watched: Iterable[Overdue], now: datetime) -> list[datetime]:
    return [attempt.at for attempt in watched if attempt.at > now]


def _compute_requeue(report: Report, others: Iterable[datetime | None], now: datetime) -> datetime | None:
    """Compute when to decide again if nothing happens: a slot, the end of a pause, a Job that may go."""
    times = [*others]
    if report.suspension is not None:
        times.append(report.suspension.until)
    else:
        times += report.following[:1] or [_find_search(report.plan, now)]
    for run in report.runs.values():
        times += [at for at in (run.start_by, run.retry_at, run.overdue_at) if at is not None and at > now]
    times += [
        run.completed_at + state.MAX_RELEASE_AGE
        for run in report.runs.holding
        if run.completed_at is not None
    ]
    if report.queued and isinstance(report.plan, Plan) and not has_ended(report.plan, now):
        ends_at = report.plan.spec.schedule.ends_at
        times.append(min(ends_at, instants.LATEST) + instants.RESOLUTION if ends_at else None)
    return min((time for time in times if time is not None), default=None)


def _find_search(plan: Plan | Problem, now: datetime) -> datetime | None:
    """Find when to search again where no slot is in sight: one may come within ten years as time passes."""
    if isinstance(plan, Problem):
        return None
    last = plan.spec.schedule.ends_at or plan.spec.schedule.at
    return now + SEARCH_AGAIN_AFTER if last is None or last > now else None
