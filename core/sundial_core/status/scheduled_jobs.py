"""Builds the status of a ScheduledJob from what was stored and what was decided since.

Values out of values: equal input gives an equal status, so that comparing tells whether to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sundial_clock.instants import format_instant
from sundial_clock.schedule import CompiledSchedule
from sundial_core.resources.objects import ScheduledJob
from sundial_core.resources.phases import Phase, Trigger
from sundial_core.resources.plans import Plan, Problem
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.suspension import Suspension
from sundial_core.runs.run import KnownRuns, Run
from sundial_core.status import omitted
from sundial_core.status.conditions import (
    Condition,
    ScheduleFacts,
    build_conditions,
    last_run_condition,
    missed_condition,
    progressing_condition,
    ready_condition,
    suspended_condition,
)
from sundial_core.status.corrections import is_contradicted
from sundial_core.status.counters import Tallies
from sundial_core.status.omitted import (
    MAX_AHEAD,
    MAX_RESULTS,
    Omitted,
    build_omitted,
    compute_omitted,
)
from sundial_core.status.queued import QueueEntry, build_queue
from sundial_core.status.recent_slots import RecentSlots
from sundial_core.status.stored import StoredStatus
from sundial_core.status.verdicts import VerdictRecord

UPCOMING = 5


@dataclass(frozen=True, slots=True)
class Report:
    """What a status is built from, besides the stored one."""

    job: ScheduledJob
    plan: Plan | Problem
    suspension: Suspension | None
    effective_from: datetime
    runs: KnownRuns
    verdicts: tuple[VerdictRecord, ...]
    creating: frozenset[datetime]
    queued: tuple[QueueEntry, ...]
    following: tuple[datetime, ...]
    """The next slots after now."""
    seen: JsonObject
    """What users had written by then."""
    clock: Condition | None = None
    jobs: Condition | None = None
    refusals: Mapping[datetime, str] = field(default_factory=dict)
    """What creates of slots that are tried again were told."""
    lost: frozenset[str] = frozenset()
    """The ids of runs whose Jobs are gone."""
    unsettled: frozenset[str] = frozenset()
    """The ids of runs whose ScheduledJobRuns do not tell yet what became of them."""


def build_status(report: Report, stored: StoredStatus, now: datetime) -> JsonObject:
    """Build the whole status; fields without a value are left out.

    Each list and each text is bounded: a status takes less than 0.9 MiB as the API server writes it, of the
    1.5 MiB that etcd takes for an object with its spec. Active runs are 200 entries of 0.3 KiB, `recentSlots`
    620 of at most 1.3 KiB, ranges 500 of 80 bytes.
    """
    cursor = _compute_cursor(report, stored, now)
    postponed = _select_postponed(report.runs.values(), stored)
    ordered = sorted(report.runs.values(), key=omitted.begin)
    active = [run for run in ordered if run.counts_as_active]
    listed = omitted.choose_listed(active, stored.results)
    named = {run.run_id for run in listed}
    recent = RecentSlots(stored.status.get("recentSlots") or ())
    ahead = _select_ahead(report, ordered, cursor, recent.list_ahead(cursor))
    due = [run for run in ordered if run.run_id in ahead or _is_due(run, cursor, stored, named)]
    shown = [run for run in due if run.counts_as_active or run.run_id not in postponed]
    tallies = Tallies(stored.status)
    queued = [entry for entry in report.queued if entry.slot <= cursor]
    recent.part(entry.slot for entry in queued)
    schedule = report.plan.schedule if isinstance(report.plan, Plan) else None
    _correct(recent, tallies, [run for run in shown if is_contradicted(run, stored)], schedule)
    counted = [run for run in shown if run.run_id in named or not run.counts_as_active]
    ended = [run for run in counted if run.phase.is_result and run.run_id not in postponed]
    _count_starts(recent, tallies, shown, stored)
    _count_verdicts_of(recent, tallies, _list_new_verdicts(report, stored, cursor))
    _count_results(recent, tallies, ended)
    asked = {run.run_id for run in ended if not _is_slot(run)}
    named |= asked | ahead | recent.select_newest(report.unsettled - asked, MAX_RESULTS - len(asked))
    upcoming = _list_upcoming(report)
    conditions = _list_conditions(report, _gather_facts(report, cursor, now), len(active))
    conditions += [*_build_past_conditions(recent, tallies), *_list_doubts(report)]
    status: JsonObject = {
        "observedGeneration": report.job.generation,
        "conditions": build_conditions(conditions, stored.conditions, report.job.generation, now),
        "scheduleText": report.plan.schedule.text if isinstance(report.plan, Plan) else None,
        "scheduleHash": report.plan.schedule_hash,
        "effectiveFrom": format_instant(report.effective_from),
        "cursor": format_instant(cursor),
        "nextRunTime": upcoming[0] if upcoming else None,
        "upcomingRuns": upcoming,
        "activeCount": len(active),
        "active": [_build_active(run) for run in listed],
        "activeOmitted": build_omitted(_compute_omitted(report, active, named, cursor)),
        "queued": build_queue(queued),
        "recentSlots": recent.build(named),
        "paused": _build_paused(report.suspension),
        "seen": report.seen,
        **tallies.build(),
    }
    return {name: value for name, value in status.items() if value not in (None, [], "")}


def _gather_facts(report: Report, cursor: datetime, now: datetime) -> ScheduleFacts:
    """Gather what the condition Ready tells of a schedule."""
    return ScheduleFacts(
        created_at=report.job.created_at,
        effective_from=report.effective_from,
        cursor=cursor,
        creating=report.creating,
        following=report.following[0] if report.following else None,
        now=now,
    )


def _list_conditions(report: Report, facts: ScheduleFacts, active: int) -> list[Condition]:
    """List the conditions about what is to come and what runs."""
    return [
        ready_condition(report.plan, report.suspension, facts),
        suspended_condition(report.suspension),
        progressing_condition(active, report.creating, report.refusals),
    ]


def _list_doubts(report: Report) -> list[Condition]:
    """List the conditions that are there only while something is doubted: the clock, or Jobs."""
    return [condition for condition in (report.clock, report.jobs) if condition is not None]


def _build_past_conditions(recent: RecentSlots, tallies: Tallies) -> list[Condition]:
    """Build the conditions about what has been."""
    return [
        last_run_condition(tallies.last_result),
        missed_condition(recent.find_missed()),
    ]


def _correct(
    recent: RecentSlots, tallies: Tallies, runs: list[Run], schedule: CompiledSchedule | None
) -> None:
    """Take back what was said of slots that turn out to have a run."""
    for run in runs:
        entry = recent.retract(run, schedule)
        if entry is not None:
            tallies.discount(entry)


def _count_starts(recent: RecentSlots, tallies: Tallies, shown: list[Run], stored: StoredStatus) -> None:
    """Record and count the runs that are new; those that were active and not listed were counted then."""
    new = [run for run in shown if recent.record_start(run)]
    tallies.count_starts([run for run in new if not stored.omits(run)])


def _count_verdicts_of(recent: RecentSlots, tallies: Tallies, verdicts: list[VerdictRecord]) -> None:
    recent.record_verdicts(verdicts)
    for record in verdicts:
        tallies.count_verdict(record)


def _count_results(recent: RecentSlots, tallies: Tallies, ended: list[Run]) -> None:
    """Record and count the results that are new, in the order in which they came."""
    for run in sorted((run for run in ended if run.completed_at is not None), key=_completed):
        if recent.record_result(run):
            tallies.count_result(run)


def _compute_omitted(report: Report, active: list[Run], named: set[str], cursor: datetime) -> Omitted:
    """Say where the active runs are that are not listed; of a run that has ended a Job may be left."""
    left_out = [run for run in active if run.run_id not in named]
    return compute_omitted(
        left_out, (run for run in report.runs.values() if not run.counts_as_active), cursor
    )


def _compute_cursor(report: Report, stored: StoredStatus, now: datetime) -> datetime:
    """Compute the cursor; a Job of a slot still to come (from another clock) does not move it."""
    started = {slot for slot in report.runs.started_slots if slot <= now}
    low = stored.cursor or report.job.created_at
    waiting = {entry.slot for entry in report.queued}
    creating = report.creating - waiting - started
    return compute_cursor(low, report.verdicts, [*started, *waiting], creating)


def _select_postponed(runs: Iterable[Run], stored: StoredStatus) -> set[str]:
    """Find the runs that were asked for whose results have no room yet; those that are stored go first."""
    asked = [run for run in runs if not _is_slot(run) and run.phase.is_result and run.completed_at]
    if len(asked) <= MAX_RESULTS:
        return set()
    asked.sort(key=lambda run: (run.run_id not in stored.results, _completed(run)))
    return {run.run_id for run in asked[MAX_RESULTS:]}


def _select_ahead(report: Report, ordered: list[Run], cursor: datetime, shown: set[str]) -> set[str]:
    """Select the ended runs without a Job whose slots are past the cursor, and keep those that are `shown`.

    A run that is shown stays until the cursor has passed its slot: otherwise it would be counted again.
    """
    if not report.lost:
        return shown
    lost = [run for run in ordered if run.run_id in report.lost and run.phase.is_result]
    ahead = [run.run_id for run in lost if _is_slot(run) and run.slot and run.slot > cursor]
    new = [run_id for run_id in ahead if run_id not in shown]
    return shown.union(new[: max(0, MAX_AHEAD - len(shown))])


def _is_due(run: Run, cursor: datetime, stored: StoredStatus, named: set[str]) -> bool:
    """Tell whether a run's entry is due: it is active or newly decided; what ended before is history.

    A run that was asked for is shown as long as it has Jobs: no cursor tells whether it was counted. A slot's
    entry comes when the cursor passes it, however active its run is; an active run that is not `named` has
    one only when it is new.
    """
    if not _is_slot(run):
        return True
    assert run.slot is not None
    if run.slot <= cursor and (stored.cursor is None or run.slot > stored.cursor):
        return True
    if stored.is_queued(run.slot) or is_contradicted(run, stored):
        return True
    if run.counts_as_active and run.run_id not in named:
        return False
    return stored.omits(run) or (run.run_id in stored.active and run.slot <= cursor)


def _is_slot(run: Run) -> bool:
    return run.trigger is Trigger.SCHEDULE


def _list_new_verdicts(report: Report, stored: StoredStatus, cursor: datetime) -> list[VerdictRecord]:
    return [
        record
        for record in report.verdicts
        if record.last <= cursor
        and (stored.cursor is None or record.last > stored.cursor or stored.is_queued(record.first))
    ]


def list_upcoming(
    plan: Plan | Problem, suspension: Suspension | None, after: datetime, limit: int = UPCOMING
) -> tuple[datetime, ...]:
    """Find the next slots after an instant, and after the end of a timed pause."""
    if isinstance(plan, Problem):
        return ()
    if suspension is not None and suspension.until is not None:
        after = max(after, suspension.until)
    return tuple(plan.schedule.slots_after(after, limit))


def _list_upcoming(report: Report) -> list[str]:
    """List the next slots that will start if nothing changes; none while suspended without an end."""
    if report.suspension is not None and report.suspension.until is None:
        return []
    return [format_instant(slot) for slot in report.following]


def _build_active(run: Run) -> JsonObject:
    entry = {
        "runId": run.run_id,
        "slot": format_instant(run.slot) if run.slot else None,
        "attempt": run.attempt,
        "job": run.job_name,
        "phase": run.phase.value,
        "retryAt": format_instant(run.retry_at) if run.retry_at else None,
        "reason": (run.reason or None) if run.phase is Phase.WAITING else None,
        "trigger": run.trigger.value,
    }
    return {name: value for name, value in entry.items() if value is not None}


def _build_paused(suspension: Suspension | None) -> JsonObject | None:
    """Show the pause in effect; an open-ended one that nobody signed is an empty object."""
    if suspension is None or suspension.pause is None:
        return None
    until = format_instant(suspension.until) if suspension.until else ""
    words = {"until": until, "by": suspension.pause.by, "reason": suspension.pause.reason}
    return {name: text for name, text in words.items() if text}


def _completed(run: Run) -> tuple[datetime | None, str]:
    return run.completed_at, run.run_id


def compute_cursor(
    cursor: datetime,
    verdicts: Iterable[VerdictRecord],
    started: Iterable[datetime],
    creating: Iterable[datetime],
) -> datetime:
    """Compute the cursor: it and all earlier slots that count are decided.

    A create under way keeps the cursor before its slot, although later slots may be decided.
    """
    decided = [*started, *(record.last for record in verdicts)]
    held = min(creating, default=None)
    return max([cursor, *(slot for slot in decided if held is None or slot < held)])
