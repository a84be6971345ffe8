"""Decides what to do about one ScheduledJob: spec, observed state and time in, a value out.

Nothing here acts. What must happen is described by `Decision`; the operator applies it. The same
state and time give the same decision, on every replica and after every restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sundial_clock import instants
from sundial_core import (
    asked,
    aspects,
    attempts,
    backlog,
    corrections,
    endings,
    names,
    overdue,
    resets,
    runs,
    starts,
)
from sundial_core.asked import Answers, Scene
from sundial_core.attempts import NextAttempt
from sundial_core.backlog import Backlog
from sundial_core.circumstances import Trust
from sundial_core.early_ends import find_endings, is_stopped
from sundial_core.endings import Ending
from sundial_core.judging import has_ended, judge
from sundial_core.manifests import Attempt, Owner
from sundial_core.model import JsonObject, Retry
from sundial_core.overdue import Overdue
from sundial_core.plans import Plan, Problem
from sundial_core.queues import Placed, Waiting
from sundial_core.report import UPCOMING, Report, Urgency, build_status, find_following, judge_urgency
from sundial_core.retention import Choice, Limits, choose_deletable, is_stored_as_ended
from sundial_core.runs import KnownRuns, Phase, Run, Trigger
from sundial_core.stored import parse_stored
from sundial_core.verdicts import Judgement
from sundial_core.views import Moment, View, find_moment

TOLD_WITHIN = timedelta(seconds=5)
"""How soon the status is built at the latest after slots have started, answered or not."""

SEARCH_AGAIN_AFTER = timedelta(days=30)
"""How soon a schedule without a slot in ten years is searched again; such a search takes milliseconds."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and when to look again; nothing is `asked` where nothing was decided about that.

    `judgements` and `queued` are to be remembered until a status that holds them is stored; of the `starts`,
    those in `served` had waited in the queue. `missing` are active
    runs whose Job is not known, or overdue: read it uncached before concluding anything. `between` are the
    ids of runs between two attempts. `withheld` are judgements that are made anew each time while too little
    could be stored (`is_stopped`); None of a `backlog`: nothing was decided about that.

    `is_told_later`: the status stays as it was decided before, until the starts are answered.
    """

    starts: tuple[Attempt, ...] = ()
    retries: tuple[NextAttempt, ...] = ()
    endings: tuple[Ending, ...] = ()
    served: frozenset[datetime] = frozenset()
    judgements: tuple[Judgement, ...] = ()
    queued: tuple[Waiting, ...] = ()
    judged_until: datetime | None = None
    between: frozenset[str] = frozenset()
    backlog: Backlog | None = None
    withheld: tuple[Judgement, ...] = ()
    is_stopped: bool = False
    deletes: Choice = field(default_factory=Choice)
    asked: Answers | None = None
    missing: tuple[Run, ...] = ()
    status: JsonObject | None = None
    urgency: Urgency = Urgency.NONE
    is_told_later: bool = False
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
    moment = find_moment(view, stored, now)
    open_ends = _find_open_ends(view, moment)
    known = _observe_runs(view, moment, open_ends)
    drafts = asked.draft_answers(view.asked, _build_scene(view, moment, known), now)
    moment = replace(moment, rivals=asked.find_rivals(drafts))
    placed = judge(view, moment, known)
    answers = asked.answer_all(drafts, placed.asked, now)
    is_told_later = _is_told_later(view, moment, placed)
    unsettled = asked.find_unsettled(view.asked)
    report = _build_report(view, moment, known, placed, unsettled, is_told_later=is_told_later)
    status = None if is_told_later else build_status(report, stored, now)
    watched = list(overdue.watch(moment.newest, known, view.memory.read_at, now))
    ends = find_endings(view, moment, known, open_ends, placed, watched)
    ended = view.memory.ending | {ending.job.uid for ending in ends}
    settled = [job for job in view.jobs if job.run_id not in unsettled]
    choice = choose_deletable(settled, stored, view.plan, limits, now, view.pods)
    others = [choice.next_at, answers.wake_at, now + TOLD_WITHIN if is_told_later else None]
    return Decision(
        starts=tuple(_build_attempts(view, placed.starts)),
        served=placed.served,
        retries=tuple(one for one in open_ends if one.after.uid not in ended and _is_due(one, view, moment)),
        endings=ends,
        judgements=placed.judgements,
        queued=placed.waiting,
        judged_until=_find_judged_until(view, moment),
        between=frozenset(one.after.run_id for one in open_ends),
        backlog=backlog.follow(view.memory, stored, placed.starts, now),
        withheld=placed.withheld,
        is_stopped=moment.is_stopped,
        deletes=choice,
        asked=answers,
        missing=tuple(_find_missing(known.values(), watched, now)),
        status=status,
        urgency=_judge_urgency(view, written, status),
        is_told_later=is_told_later,
        wake_at=_find_wake(report, [*others, *_list_later(watched, now)], now),
        reset_at=view.memory.reset_at,
    )


def _judge_urgency(view: View, written: JsonObject, status: JsonObject | None) -> Urgency:
    """Judge how soon the status has to be written; what cannot be read there is mended soon."""
    urgency = judge_urgency(written, status) if status is not None else Urgency.NONE
    return max(urgency, Urgency.SOON) if view.job.unreadable and status is not None else urgency


def _is_told_later(view: View, moment: Moment, placed: Placed) -> bool:
    """Tell whether nothing has happened but that slots start: that is told when their Jobs are there.

    In a burst that leaves time for the creates. What waits, was judged or was edited is told at once.
    """
    if not placed.starts or placed.judgements or placed.waiting or view.memory.judgements or view.asked:
        return False
    stored = moment.stored
    is_known = stored.observed_generation == view.job.generation and stored.seen == moment.seen
    is_known = is_known and not view.job.unreadable
    return is_known and stored.effective_from == moment.effective_from


def _find_judged_until(view: View, moment: Moment) -> datetime | None:
    """Find up to where each slot is judged for good by now; None where this decision has not moved that."""
    is_judging = isinstance(view.plan, Plan) and moment.hold is None and not moment.is_stopped
    return moment.now if is_judging else None


def _build_report(
    view: View,
    moment: Moment,
    known: KnownRuns,
    placed: Placed,
    unsettled: frozenset[str],
    *,
    is_told_later: bool,
) -> Report:
    """Gather what the status is built from."""
    now, stored = moment.now, moment.stored
    given_up = {judgement.first for judgement in placed.judgements}
    low = max(now, moment.effective_from, stored.cursor or now)
    return Report(
        job=view.job,
        plan=view.plan,
        hold=moment.hold,
        effective_from=moment.effective_from,
        runs=known,
        judgements=_find_unstored(view, placed, known),
        creating=(view.memory.creating - given_up) | frozenset(placed.starts),
        queued=placed.waiting,
        following=find_following(view.plan, moment.hold, low, 1 if is_told_later else UPCOMING),
        seen=moment.seen,
        clock=resets.judge_clock(view.circumstances, stored, view, now),
        refusals={slot: words for slot, words in view.memory.refusals.items() if slot not in given_up},
        lost=frozenset(view.memory.lost),
        unsettled=unsettled,
        jobs=aspects.judge_jobs(view.jobs, [job for job in view.strangers if job.ns == view.job.ns]),
    )


def _find_unstored(view: View, placed: Placed, known: KnownRuns) -> tuple[Judgement, ...]:
    """Find the judgements that no status holds yet, but for slots whose Jobs have turned up since."""
    schedule = view.plan.schedule if isinstance(view.plan, Plan) else None
    judgements = (*view.memory.judgements, *placed.judgements, *placed.withheld)
    return corrections.except_started(judgements, known.started_slots, schedule)


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


def _observe_runs(view: View, moment: Moment, open_ends: Iterable[NextAttempt]) -> KnownRuns:
    """Find each run that has a Job, had one, or is shown as active by the stored status."""
    started = asked.read_started(view.asked, view.memory.asked, view.job.uid)
    known = KnownRuns({run_id: run for run_id, run in started.items() if run_id not in moment.stored.results})
    known |= {run_id: runs.read_recorded_run(entry) for run_id, entry in moment.stored.active.items()}
    known |= view.memory.lost
    following = {one.after.run_id: one for one in open_ends}
    for run_id, job in moment.newest.items():
        run = starts.read_run(job, view.pods.get(job.uid, ()), moment.now)
        if run_id not in following:
            known[run_id] = run
        elif is_stopped(job, moment.hold) and run_id not in view.memory.landing:
            known[run_id] = endings.stop_retries(run)
        else:
            known[run_id] = attempts.await_attempt(run, following[run_id])
    known.update(view.memory.failed)
    return known


def _find_open_ends(view: View, moment: Moment) -> list[NextAttempt]:
    """Find the runs whose newest attempt failed and that get another one, unless they are held back."""
    failed = [
        job
        for job in moment.newest.values()
        if job.phase in (Phase.FAILED, Phase.TIMED_OUT)
        and job.run_id not in moment.stored.results
        and not is_stored_as_ended(job, moment.stored)
    ]
    retry = attempts.read_retry(view.job.spec) if failed else Retry()
    return [one for job in failed if (one := attempts.find_next_attempt(job, retry)) is not None]


def _is_due(following: NextAttempt, view: View, moment: Moment) -> bool:
    run_id = following.after.run_id
    is_open = run_id not in view.memory.retrying and run_id not in view.memory.failed
    is_open = is_open and view.circumstances.may_start
    return is_open and following.due_at <= moment.now and not is_stopped(following.after, moment.hold)


def _build_scene(view: View, moment: Moment, known: Mapping[str, Run]) -> Scene:
    """Show what the ScheduledJobRuns are judged by."""
    if not view.asked:
        return Scene()
    memory = view.memory
    return Scene(
        job=view.job,
        plan=view.plan,
        runs=known,
        ended={entry["runId"]: entry for entry in moment.stored.find_ended()},
        refused=memory.rejected,
        postponed=memory.postponed,
        decided=memory.asked,
        starting=memory.retrying,
        held_by=view.circumstances.held_by,
        is_stopped=moment.is_stopped,
    )


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


def _find_missing(known: Iterable[Run], watched: Iterable[Overdue], now: datetime) -> Iterator[Run]:
    """Find the runs whose Job is to be read: it is not known, or what is known of it may be wrong."""
    yield from (run for run in known if run.phase is Phase.UNKNOWN)
    yield from (one.run for one in watched if one.at <= now)


def _list_later(watched: Iterable[Overdue], now: datetime) -> list[datetime]:
    return [one.at for one in watched if one.at > now]


def _find_wake(report: Report, others: Iterable[datetime | None], now: datetime) -> datetime | None:
    """Find when time alone will change the decision: a slot, the end of a pause, a Job that may go."""
    times = [*others]
    if report.hold is not None:
        times.append(report.hold.until)
    else:
        times += report.following[:1] or [_find_search(report.plan, now)]
    for run in report.runs.values():
        times += [at for at in (run.start_by, run.retry_at, run.overdue_at) if at is not None and at > now]
    times += [
        run.completed_at + runs.LONGEST_RELEASE for run in report.runs.holding if run.completed_at is not None
    ]
    if report.queued and isinstance(report.plan, Plan) and not has_ended(report.plan, now):
        ends_at = report.plan.spec.schedule.ends_at
        times.append(ends_at + instants.RESOLUTION if ends_at else None)
    return min((time for time in times if time is not None), default=None)


def _find_search(plan: Plan | Problem, now: datetime) -> datetime | None:
    """Find when to search again where no slot is in sight: one may come within ten years as time passes."""
    if isinstance(plan, Problem):
        return None
    last = plan.spec.schedule.ends_at or plan.spec.schedule.at
    return now + SEARCH_AGAIN_AFTER if last is None or last > now else None
