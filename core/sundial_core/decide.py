"""Decides what to do about one ScheduledJob: spec, observed state and time in, a value out.

Nothing here acts. What must happen is described by `Decision`; the operator applies it. The same
state and time give the same decision, on every replica and after every restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sundial_core import asked, attempts, endings, holds, names, queues, resets, runs, starts, verdicts
from sundial_core.asked import Answers, Scene
from sundial_core.attempts import NextAttempt
from sundial_core.circumstances import Circumstances, Trust
from sundial_core.conditions import Reason
from sundial_core.endings import Ending
from sundial_core.holds import Hold
from sundial_core.manifests import Attempt, Owner
from sundial_core.model import ConcurrencyPolicy, JsonObject, Retry
from sundial_core.objects import ScheduledJob, ScheduledJobRun
from sundial_core.plans import Plan, Problem
from sundial_core.queues import Placed, Places, Waiting
from sundial_core.report import Report, Urgency, build_status, find_following, judge_urgency
from sundial_core.retention import Limits, choose_deletable, is_stored_as_ended
from sundial_core.runs import ObservedJob, ObservedPod, Phase, Run, Trigger
from sundial_core.stored import Stored, parse_stored
from sundial_core.verdicts import Due, Judgement


@dataclass(frozen=True, slots=True)
class Memory:
    """What one process knows of a schedule and has not stored yet; lost in a crash, and then found anew.

    `judged_until`: each slot up to there has a Job, a judgement here, a create under way (`creating`), or
    waits (`queued`). `refused`: the creates of which nothing can land, `yielding` those of them that a newer
    slot makes Missed. `retrying`: the ids of runs whose next attempt, or first one if somebody asked for
    them, is being created, `landing` those of them where it may exist by now; `ending`: the UIDs of Jobs that
    are being ended. By run id, `failed`: runs whose next attempt could not be created; `lost`: runs whose
    newest Job is known to be gone, as they were then; `rejected`: runs that were asked for and whose Job
    could not be created; `postponed`: what the API server says to creates that it refuses for now.
    `decided`: the newest status, not stored yet; `asked`: those of ScheduledJobRuns, by UID.
    `reset_at`: to which instant a stored one of the future was set back.
    """

    judged_until: datetime | None = None
    judgements: tuple[Judgement, ...] = ()
    creating: frozenset[datetime] = frozenset()
    refused: frozenset[datetime] = frozenset()
    yielding: frozenset[datetime] = frozenset()
    queued: tuple[Waiting, ...] = ()
    retrying: frozenset[str] = frozenset()
    landing: frozenset[str] = frozenset()
    ending: frozenset[str] = frozenset()
    failed: Mapping[str, Run] = field(default_factory=dict)
    lost: Mapping[str, Run] = field(default_factory=dict)
    rejected: Mapping[str, Judgement] = field(default_factory=dict)
    postponed: Mapping[str, str] = field(default_factory=dict)
    decided: JsonObject = field(default_factory=dict)
    asked: Mapping[str, JsonObject] = field(default_factory=dict)
    reset_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class View:
    """All that a decision is made from; `pods` are those of each Job, by its UID.

    `asked` are the ScheduledJobRuns that name this ScheduledJob.
    """

    job: ScheduledJob
    plan: Plan | Problem
    jobs: tuple[ObservedJob, ...]
    memory: Memory
    pods: Mapping[str, tuple[ObservedPod, ...]] = field(default_factory=dict)
    circumstances: Circumstances = field(default_factory=Circumstances)
    asked: tuple[ScheduledJobRun, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and when to look again; nothing is `asked` where nothing was decided about that.

    `judgements` and `queued` are to be remembered until a status that holds them is stored; of the `starts`,
    those in `served` had waited in the queue. `missing` are active
    runs whose Job is not known: read it uncached before concluding anything.
    """

    starts: tuple[Attempt, ...] = ()
    retries: tuple[NextAttempt, ...] = ()
    endings: tuple[Ending, ...] = ()
    served: frozenset[datetime] = frozenset()
    judgements: tuple[Judgement, ...] = ()
    queued: tuple[Waiting, ...] = ()
    judged_until: datetime | None = None
    deletes: tuple[ObservedJob, ...] = ()
    asked: Answers | None = None
    missing: tuple[Run, ...] = ()
    status: JsonObject | None = None
    urgency: Urgency = Urgency.NONE
    wake_at: datetime | None = None
    reset_at: datetime | None = None


def decide(view: View, now: datetime, limits: Limits) -> Decision:
    """Decide about one ScheduledJob at `now`."""
    if view.job.is_deleting and not view.asked:
        return Decision()
    if view.job.is_deleting:
        orphans = asked.answer_orphans(view.asked, view.memory.asked, view.jobs, now)
        return Decision(asked=orphans, wake_at=orphans.wake_at)
    if view.circumstances.trust is Trust.UNTRUSTED:
        return _freeze(view, now)
    written, view = view.job.status, resets.set_back(view, now)
    stored = parse_stored(view.job.status)
    moment = _find_moment(view, stored, now)
    open_ends = _find_open_ends(view, stored)
    known = _observe_runs(view, moment, open_ends)
    placed = _judge(view, moment, known)
    answers = _answer_asked(view, moment, known, placed)
    given_up = {judgement.first for judgement in placed.judgements}
    low = max(now, moment.effective_from, stored.cursor or now)
    report = Report(
        job=view.job,
        plan=view.plan,
        hold=moment.hold,
        effective_from=moment.effective_from,
        runs=tuple(known.values()),
        judgements=(*view.memory.judgements, *placed.judgements),
        creating=(view.memory.creating - given_up) | frozenset(placed.starts),
        queued=placed.waiting,
        following=find_following(view.plan, moment.hold, low),
        clock=resets.judge_clock(view.circumstances, stored, view, now),
    )
    status = build_status(report, stored, now)
    ends = _find_endings(view, moment, known, open_ends, placed)
    ended = view.memory.ending | {ending.job.uid for ending in ends}
    unsettled = asked.find_unsettled(view.asked)
    settled = [job for job in view.jobs if job.run_id not in unsettled]
    deletes, next_delete = choose_deletable(settled, stored, view.plan, limits, now)
    return Decision(
        starts=tuple(_build_attempts(view, placed.starts)),
        served=placed.served,
        retries=tuple(one for one in open_ends if one.after.uid not in ended and _is_due(one, view, moment)),
        endings=ends,
        judgements=placed.judgements,
        queued=placed.waiting,
        judged_until=now if isinstance(view.plan, Plan) and moment.hold is None else None,
        deletes=deletes,
        asked=answers,
        missing=tuple(run for run in known.values() if run.phase is Phase.UNKNOWN),
        status=status,
        urgency=judge_urgency(written, status),
        wake_at=_find_wake(report, [next_delete, answers.wake_at], now),
        reset_at=view.memory.reset_at,
    )


def _freeze(view: View, now: datetime) -> Decision:
    """Decide nothing: `now` is not to be trusted. What was decided before may still be stored."""
    status = resets.tell_frozen(view, now)
    return Decision(
        queued=view.memory.queued,
        status=status,
        urgency=Urgency.NONE if status == view.job.status else Urgency.LAZY,
        wake_at=resets.find_frozen_wake(view, now),
        reset_at=view.memory.reset_at,
    )


@dataclass(frozen=True, slots=True)
class _Moment:
    """Where a schedule stands now; `decided` is the newest status that was decided, stored or not."""

    now: datetime
    stored: Stored
    decided: Stored
    hold: Hold | None
    effective_from: datetime


def _find_moment(view: View, stored: Stored, now: datetime) -> _Moment:
    """Find what holds now, from what was decided last: a change that is not stored yet has happened too."""
    decided = parse_stored(view.memory.decided) if view.memory.decided else stored
    hold = holds.find_hold(view.job, now)
    effective_from = holds.decide_effective_from(view.job, view.plan, hold, decided, now)
    if stored.effective_from is not None:
        effective_from = max(effective_from, stored.effective_from)
    return _Moment(now, stored, decided, hold, effective_from)


def _observe_runs(view: View, moment: _Moment, open_ends: Iterable[NextAttempt]) -> dict[str, Run]:
    """Find each run that has a Job, had one, or is shown as active by the stored status."""
    started = asked.read_started(view.asked, view.memory.asked, view.job.uid)
    known = {run_id: run for run_id, run in started.items() if run_id not in moment.stored.results}
    known |= {run_id: runs.read_recorded_run(entry) for run_id, entry in moment.stored.active.items()}
    known |= view.memory.lost
    following = {one.after.run_id: one for one in open_ends}
    for run_id, job in runs.find_newest_attempts(view.jobs).items():
        pods = view.pods.get(job.uid, ())
        run = runs.build_run(job, pods, moment.now)
        if run_id not in following:
            known[run_id] = endings.explain_end(starts.explain_deadline(run, job, pods), job)
        elif _is_stopped(job, moment.hold) and run_id not in view.memory.landing:
            known[run_id] = endings.stop_retries(run)
        else:
            known[run_id] = attempts.await_attempt(run, following[run_id])
    known.update(view.memory.failed)
    return known


def _find_open_ends(view: View, stored: Stored) -> list[NextAttempt]:
    """Find the runs whose newest attempt failed and that get another one, unless they are held back."""
    failed = [
        job
        for job in runs.find_newest_attempts(view.jobs).values()
        if job.phase in (Phase.FAILED, Phase.TIMED_OUT)
        and job.run_id not in stored.results
        and not is_stored_as_ended(job, stored)
    ]
    retry = attempts.read_retry(view.job.spec) if failed else Retry()
    return [one for job in failed if (one := attempts.find_next_attempt(job, retry)) is not None]


def _is_stopped(job: ObservedJob, hold: Hold | None) -> bool:
    """Tell whether a run's further attempts are stopped: those of manual runs go on, a person asked."""
    return hold is not None and job.trigger is Trigger.SCHEDULE


def _is_due(following: NextAttempt, view: View, moment: _Moment) -> bool:
    run_id = following.after.run_id
    is_open = run_id not in view.memory.retrying and run_id not in view.memory.failed
    is_open = is_open and view.circumstances.may_start
    return is_open and following.due_at <= moment.now and not _is_stopped(following.after, moment.hold)


def _find_endings(
    view: View, moment: _Moment, known: Mapping[str, Run], open_ends: Iterable[NextAttempt], placed: Placed
) -> tuple[Ending, ...]:
    """Find what is to be ended; a run whose next attempt may exist by now is not between attempts."""
    newest = runs.find_newest_attempts(view.jobs).values()
    active = [job for job in newest if not known[job.run_id].phase.is_result]
    asked = endings.find_cancelled(view.jobs, active)
    stopped = [
        Ending(one.after, Reason.RETRIES_STOPPED) for one in open_ends if _is_stopped(one.after, moment.hold)
    ]
    pending = [(known[job.run_id], job, view.pods.get(job.uid, ())) for job in active]
    late = starts.find_late_starts(pending, moment.now)
    ended = {ending.job.uid: ending for ending in (*late, *stopped, *asked)}
    excess = _count_excess(view, moment, known, placed) - len(asked)
    if excess > 0:
        rest = [job for job in active if job.uid not in ended]
        ended |= {one.job.uid: one for one in endings.find_replaced(rest, excess)}
    return tuple(ending for ending in ended.values() if ending.job.run_id not in view.memory.landing)


def _count_excess(view: View, moment: _Moment, known: Mapping[str, Run], placed: Placed) -> int:
    """Count the runs that have to be ended for the slots that replace them, beyond those that are ending.

    Only a stored slot ends a run: otherwise a crash could lose both.
    """
    rule = view.plan.spec.concurrency if isinstance(view.plan, Plan) else None
    creating = view.memory.creating | set(placed.starts)
    stored = {one.slot for one in moment.stored.queued} - creating
    replacing = [one for one in placed.waiting if one.slot in stored]
    if rule is None or rule.policy is not ConcurrencyPolicy.REPLACE or not replacing:
        return 0
    if not view.circumstances.may_start:
        return 0
    newest = runs.find_newest_attempts(view.jobs)
    going = [
        run
        for run in known.values()
        if run.holds_place
        and (run.phase.is_result or (run.run_id in newest and endings.is_ending(newest[run.run_id])))
    ]
    active = _count_active(known, creating, view.memory.retrying)
    return active + len(replacing) - rule.max_instances - len(going)


def _judge(view: View, moment: _Moment, known: Mapping[str, Run]) -> Placed:
    """Judge the slots that wait, and those that are due and not judged yet."""
    memory = view.memory
    started = frozenset(_started_slots(known.values()))
    done = started | {judgement.first for judgement in memory.judgements}
    queue = queues.find_queue(moment.stored.queued, memory.queued, moment.stored.cursor, done)
    dropped = tuple(_drop_waiting(view, moment, known, queue))
    gone = {judgement.first for judgement in dropped}
    left = tuple(one for one in queue if one.slot not in gone)
    refused = memory.refused - started - {one.slot for one in queue}
    missed = queues.miss_refused(refused) if moment.hold is not None else ()
    placed = _judge_new(view, moment, known, left)
    return replace(placed, judgements=(*dropped, *missed, *placed.judgements))


def _drop_waiting(
    view: View, moment: _Moment, known: Mapping[str, Run], queue: Iterable[Waiting]
) -> Iterable[Judgement]:
    """Drop what may not wait any longer; not while its create is unanswered."""
    memory, plan = view.memory, view.plan
    unsure = memory.creating - memory.refused
    waiting = [one for one in queue if one.slot not in unsure]
    if moment.hold is not None:
        return queues.drop(waiting, f"held back: {moment.hold.message}")
    old = [one for one in waiting if one.slot <= moment.effective_from]
    dropped = queues.drop(old, "the schedule was changed or held back while it waited")
    rest = [one for one in waiting if one.slot > moment.effective_from]
    if isinstance(plan, Problem):
        return dropped
    if _has_ended(plan, moment.now):
        return (*dropped, *queues.drop(rest, "endsAt has passed"))
    is_new = memory.judged_until is None or not moment.decided.was_valid
    if (
        is_new
        and Places(plan.spec.concurrency, _count_active(known, memory.creating, memory.retrying)).free > 0
    ):
        released = [job.released_at for job in view.jobs if job.released_at is not None]
        rest = queues.find_overdue(rest, released, plan.spec.catch_up, moment.now)
        return (*dropped, *queues.drop(rest, "a place was free for longer than catchUp.windowSeconds"))
    return dropped


def _has_ended(plan: Plan, now: datetime) -> bool:
    ends_at = plan.spec.schedule.ends_at
    return ends_at is not None and ends_at < now


def _judge_new(view: View, moment: _Moment, known: Mapping[str, Run], queue: tuple[Waiting, ...]) -> Placed:
    """Judge the slots that are due and not judged yet; `queue` waits before them."""
    if isinstance(view.plan, Problem):
        return Placed(waiting=queue)
    change = holds.find_change(view.job, moment.now)
    low = max(filter(None, (moment.effective_from, moment.stored.cursor, view.memory.judged_until)))
    started = frozenset(_started_slots(known.values())) | resets.find_started_ahead(moment.stored)
    waiting = {one.slot for one in queue}
    until = moment.now if moment.hold is None else change
    due = Due(view.plan.schedule, low, until, started | view.memory.creating | waiting)
    if moment.hold is None and view.circumstances.held_by:
        return Placed(waiting=queue, judgements=verdicts.miss_slots(due, Reason.HELD))
    if moment.hold is None:
        return _judge_due(view, view.plan, due, known, queue)
    is_over = until <= low or holds.is_continued(moment.decided, moment.hold, change)
    missed = () if is_over else verdicts.miss_slots(due, Reason.SUSPENDED)
    return Placed(waiting=queue, judgements=missed)


def _judge_due(
    view: View, plan: Plan, due: Due, known: Mapping[str, Run], queue: tuple[Waiting, ...]
) -> Placed:
    """Give up the refused creates that newer slots replace, then judge by catch-up and concurrency.

    A slot waits until its Job is seen, its create included.
    """
    memory, spec = view.memory, plan.spec
    given_up = verdicts.give_up(due, memory.yielding - frozenset(_started_slots(known.values())))
    creating = memory.creating - {judgement.first for judgement in given_up}
    offered = verdicts.find_offered(due, spec.catch_up)
    places = Places(spec.concurrency, _count_active(known, creating, memory.retrying))
    waiting = [one for one in queue if one.slot not in creating]
    placed = queues.place_slots(offered.slots, waiting, places, due.until)
    dropped = queues.drop(placed.waiting, "endsAt has passed") if _has_ended(plan, due.until) else ()
    judgements = (*given_up, *offered.judgements, *placed.judgements, *dropped)
    judged = {judgement.first for judgement in judgements}
    left = {one.slot: one for one in (*queue, *placed.waiting) if one.slot not in judged}
    return replace(placed, waiting=tuple(left.values()), judgements=judgements)


def _started_slots(known: Iterable[Run]) -> Iterable[datetime]:
    return (run.slot for run in known if run.slot is not None and run.trigger is Trigger.SCHEDULE)


def _count_active(known: Mapping[str, Run], creating: frozenset[datetime], retrying: frozenset[str]) -> int:
    """Count the runs that hold a place, creates under way included."""
    unanswered = len(creating - set(_started_slots(known.values()))) + len(retrying - known.keys())
    return sum(run.holds_place for run in known.values()) + unanswered


def _answer_asked(view: View, moment: _Moment, known: Mapping[str, Run], placed: Placed) -> Answers:
    """Answer the ScheduledJobRuns, after the slots: those are due already, a request is never older."""
    if not view.asked:
        return Answers()
    memory = view.memory
    scene = Scene(
        job=view.job,
        plan=view.plan,
        runs=known,
        ended={entry["runId"]: entry for entry in moment.stored.find_ended()},
        refused=memory.rejected,
        postponed=memory.postponed,
        decided=memory.asked,
        starting=memory.retrying,
        taken=_count_active(known, memory.creating, memory.retrying) + len(placed.starts),
        held_by=view.circumstances.held_by,
    )
    return asked.answer_all(view.asked, scene, moment.now)


def _build_attempts(view: View, starts: Iterable[datetime]) -> Iterable[Attempt]:
    if isinstance(view.plan, Problem):
        return
    job, plan = view.job, view.plan
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


def _find_wake(report: Report, others: Iterable[datetime | None], now: datetime) -> datetime | None:
    """Find when time alone will change the decision: a slot, the end of a pause, a Job that may go."""
    times = [*others]
    if report.hold is not None:
        times.append(report.hold.until)
    else:
        times += report.following[:1]
    times += [run.start_by for run in report.runs if run.start_by is not None and run.start_by > now]
    times += [run.retry_at for run in report.runs if run.retry_at is not None and run.retry_at > now]
    times += [
        run.completed_at + runs.LONGEST_RELEASE
        for run in report.runs
        if run.holds_place and run.completed_at is not None
    ]
    if report.queued and isinstance(report.plan, Plan) and not _has_ended(report.plan, now):
        ends_at = report.plan.spec.schedule.ends_at
        times.append(ends_at + verdicts.INSTANT if ends_at else None)
    return min((time for time in times if time is not None), default=None)
