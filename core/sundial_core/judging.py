"""What becomes of the slots of one schedule now: those that wait, that are due, that were refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sundial_core import backlog, queues, resets, verdicts
from sundial_core.conditions import Reason
from sundial_core.judgements import find_judged
from sundial_core.plans import Plan, Problem
from sundial_core.queues import Placed, Places, Turns, Waiting
from sundial_core.runs import KnownRuns
from sundial_core.verdicts import Due, Judgement
from sundial_core.views import Moment, View


def judge(view: View, moment: Moment, known: KnownRuns) -> Placed:
    """Judge the slots that wait, and those that are due and not judged yet."""
    memory = view.memory
    started = known.started_slots
    waiting = (one.slot for one in (*moment.stored.queued, *memory.queued))
    done = started | find_judged(waiting, memory.judgements)
    queue = queues.find_queue(moment.stored.queued, memory.queued, moment.stored.cursor, done)
    unsure = memory.creating - memory.refused
    unwanted = queues.cancel(one for one in queue if one.slot in view.job.cancelled - unsure)
    rest = [one for one in queue if one.slot not in view.job.cancelled]
    dropped = (*unwanted, *_drop_waiting(view, moment, known, rest))
    gone = {judgement.first for judgement in dropped}
    left = tuple(one for one in queue if one.slot not in gone)
    refused = memory.refused - started - {one.slot for one in queue}
    missed: Sequence[Judgement] = ()
    if moment.hold is not None:
        missed = verdicts.miss_refused(refused, "runs were held back", view.memory.refusals)
    placed = _judge_new(view, moment, known, left)
    if placed.asked is None and isinstance(view.plan, Plan):
        placed = replace(placed, asked=_place_asked(view, view.plan, moment, known))
    return replace(placed, judgements=(*dropped, *missed, *placed.judgements))


def _drop_waiting(
    view: View, moment: Moment, known: KnownRuns, queue: Iterable[Waiting]
) -> Iterable[Judgement]:
    """Drop what may not wait any longer; not while its create is unanswered."""
    memory, plan = view.memory, view.plan
    unsure = memory.creating - memory.refused
    waiting = [one for one in queue if one.slot not in unsure]
    if moment.hold is not None:
        return queues.drop(waiting, f"held back: {moment.hold.message}")
    old = [one for one in waiting if moment.broken_at is not None and one.slot <= moment.broken_at]
    dropped = queues.drop(old, "the schedule was changed or held back while it waited")
    rest = [one for one in waiting if one not in old]
    if isinstance(plan, Problem):
        return dropped
    if has_ended(plan, moment.now):
        return (*dropped, *queues.drop(rest, "endsAt has passed"))
    is_new = memory.judged_until is None or not moment.decided.was_valid
    if (
        is_new
        and Places(plan.spec.concurrency, count_active(known, memory.creating, memory.retrying)).free > 0
    ):
        released = [job.released_at for job in view.jobs if job.released_at is not None]
        rest = queues.find_overdue(rest, released, plan.spec.catch_up, moment.now)
        return (*dropped, *queues.drop(rest, "a place was free for longer than catchUp.windowSeconds"))
    return dropped


def has_ended(plan: Plan, now: datetime) -> bool:
    """Tell whether the last instant in which slots count has passed."""
    ends_at = plan.spec.schedule.ends_at
    return ends_at is not None and ends_at < now


def _judge_new(view: View, moment: Moment, known: KnownRuns, queue: tuple[Waiting, ...]) -> Placed:
    """Judge the slots that are due and not judged yet; `queue` waits before them."""
    if isinstance(view.plan, Problem):
        return Placed(waiting=queue)
    until = moment.now if moment.hold is None else moment.held_since
    if until is None:
        return Placed(waiting=queue)
    low = max(filter(None, (moment.effective_from, moment.stored.cursor, view.memory.judged_until)))
    started = known.started_slots | resets.find_started_ahead(moment.stored)
    waiting = {one.slot for one in queue}
    due = Due(view.plan.schedule, low, until, started | view.memory.creating | waiting)
    if moment.hold is None and moment.is_stopped:
        return Placed(waiting=queue, withheld=backlog.withhold(due, view.memory))
    if moment.hold is None and view.circumstances.held_by:
        return Placed(waiting=queue, judgements=verdicts.miss_slots(due, Reason.HELD))
    if moment.hold is None:
        return _judge_due(view, moment, due, known, queue)
    if until <= low:
        return Placed(waiting=queue)
    missed = backlog.withhold(due, view.memory) if view.memory.withheld else ()
    return Placed(waiting=queue, judgements=missed or verdicts.miss_slots(due, Reason.SUSPENDED))


def _place_asked(view: View, plan: Plan, moment: Moment, known: KnownRuns) -> Turns | None:
    """Put the ScheduledJobRuns to the concurrency rule while no slot is: they do not mind a suspension."""
    active = count_active(known, view.memory.creating, view.memory.retrying)
    places = Places(plan.spec.concurrency, active)
    return queues.place_slots((), (), places, moment.now, moment.rivals).asked


def _judge_due(view: View, moment: Moment, due: Due, known: KnownRuns, queue: tuple[Waiting, ...]) -> Placed:
    """Give up the refused creates that newer slots replace, then judge by catch-up and concurrency.

    A slot waits until its Job is seen, its create included.
    """
    memory, plan = view.memory, view.plan
    assert isinstance(plan, Plan)
    spec = plan.spec
    yielding = memory.yielding and memory.yielding - known.started_slots
    given_up = verdicts.give_up(due, yielding, memory.refusals)
    creating = memory.creating - {judgement.first for judgement in given_up}
    offered = verdicts.find_offered(due, spec.catch_up)
    places = Places(spec.concurrency, count_active(known, creating, memory.retrying))
    waiting = [one for one in queue if one.slot not in creating]
    placed = queues.place_slots(offered.slots, waiting, places, due.until, moment.rivals)
    dropped = queues.drop(placed.waiting, "endsAt has passed") if has_ended(plan, due.until) else ()
    judgements = (*given_up, *offered.judgements, *placed.judgements, *dropped)
    judged = {judgement.first for judgement in judgements}
    left = {one.slot: one for one in (*queue, *placed.waiting) if one.slot not in judged}
    return replace(placed, waiting=tuple(left.values()), judgements=judgements)


def count_active(known: KnownRuns, creating: frozenset[datetime], retrying: frozenset[str]) -> int:
    """Count the runs that hold a place, creates under way included."""
    slots = creating and creating - known.started_slots
    unanswered = len(slots) + len(retrying - known.keys())
    return len(known.holding) + unanswered
