"""What becomes of the ScheduledJobRuns of a schedule: each starts, waits, or ends without a run.

The rules: docs/semantics.md, "Manual and backfill runs". Suspension, cursor and slots do not matter to them:
a person asked. What their statuses say of it is in `status/scheduled_job_runs.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import ValidationError

from sundial_clock.instants import format_instant
from sundial_core.decision.backfills import find_slot_problem
from sundial_core.decision.concurrency import RequestPlacement, WaitingRequests
from sundial_core.resources import names
from sundial_core.resources.objects import ScheduledJob, ScheduledJobRun
from sundial_core.resources.phases import Phase, Trigger, Verdict
from sundial_core.resources.plans import (
    Plan,
    Problem,
    check_args,
    check_fit,
    check_nesting,
    describe_validation_error,
)
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.readable import is_instant
from sundial_core.resources.reasons import Reason
from sundial_core.resources.specs import RunSource, ScheduledJobRunSpec
from sundial_core.runs.jobs import ObservedJob, select_newest_attempts
from sundial_core.runs.manifests import Attempt, Owner
from sundial_core.runs.run import Run
from sundial_core.runs.state import build_run, parse_recorded_run
from sundial_core.status import scheduled_job_runs
from sundial_core.status.queued import QueueEntry
from sundial_core.status.scheduled_job_runs import RunRequestOutcome
from sundial_core.status.verdicts import VerdictRecord

MAX_QUEUE_WAIT = timedelta(hours=1)
"""How long one waits for what is not there: its ScheduledJob, or that one's TaskFunction."""


@dataclass(frozen=True, slots=True)
class ParentState:
    """What is known of the ScheduledJob that ScheduledJobRuns name; mappings are by run id."""

    job: ScheduledJob | None = None
    """None where there is no ScheduledJob of that name, or one that is being deleted."""
    plan: Plan | Problem | None = None
    runs: Mapping[str, Run] = field(default_factory=dict)
    """Runs that are known by their Jobs."""
    ended: Mapping[str, JsonObject] = field(default_factory=dict)
    """The entries with a result in the schedule's status."""
    refused: Mapping[str, VerdictRecord] = field(default_factory=dict)
    """Verdicts on runs whose Job could not be created."""
    postponed: Mapping[str, str] = field(default_factory=dict)
    """What the API server says to creates that it refuses for now."""
    decided: Mapping[str, JsonObject] = field(default_factory=dict)
    """The newest statuses, stored or not."""
    starting: frozenset[str] = frozenset()
    """The ids of the runs whose Jobs are being created."""
    starts_held_by: str = ""
    """What holds all starts of the installation; empty where nothing does."""
    is_stopped: bool = False
    """Nothing of the schedule may start: too little of it could be stored."""


@dataclass(frozen=True, slots=True)
class RunRequestDecision:
    """What to do about ScheduledJobRuns; `statuses`, by UID, are those that differ from the stored ones."""

    starts: tuple[Attempt, ...] = ()
    statuses: Mapping[str, JsonObject] = field(default_factory=dict)
    deletes: tuple[ScheduledJobRun, ...] = ()
    requeue_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """The answer to one before the concurrency rule: an attempt still needs a place.

    `request` has the newest status that was decided, `stored` the one that is stored.
    """

    stored: ScheduledJobRun
    request: ScheduledJobRun
    outcome: Attempt | RunRequestOutcome | None

    @property
    def is_unbound(self) -> bool:
        """Tell whether it starts whatever the rule says."""
        return self.request.spec.get("ignoreConcurrency") is True


def list_candidates(
    requests: Iterable[ScheduledJobRun], parent_state: ParentState, now: datetime
) -> tuple[Candidate, ...]:
    """Decide about each ScheduledJobRun of one schedule but for the concurrency rule, oldest first."""
    candidates = []
    for stored in sorted(requests, key=_age):
        request = replace(stored, status=parent_state.decided.get(stored.uid) or stored.status)
        candidates.append(Candidate(stored, request, _decide(request, parent_state, now)))
    return tuple(candidates)


def list_waiting_requests(candidates: Iterable[Candidate]) -> WaitingRequests:
    """Find those that want a place; they are ordered with the slots by when somebody asked for them."""
    wanting = [candidate for candidate in candidates if isinstance(candidate.outcome, Attempt)]
    bound = [candidate.request for candidate in wanting if not candidate.is_unbound]
    waiting = [request for request in bound if scheduled_job_runs.is_waiting(request.status)]
    new = [request for request in bound if not scheduled_job_runs.is_waiting(request.status)]
    return WaitingRequests(
        waiting=tuple(map(_build_queue_entry, waiting)),
        new=tuple(map(_build_queue_entry, new)),
        unbound=len(wanting) - len(bound),
    )


def decide_run_requests(
    candidates: Iterable[Candidate], turns: RequestPlacement | None, now: datetime
) -> RunRequestDecision:
    """Answer the ScheduledJobRuns of one schedule; `turns` is what the concurrency rule says to them."""
    starts: list[Attempt] = []
    statuses: dict[str, JsonObject] = {}
    deletes: list[ScheduledJobRun] = []
    enqueues: list[datetime] = []
    for candidate in candidates:
        stored, status = candidate.stored, candidate.request.status
        outcome = _take_turn(candidate, turns or RequestPlacement())
        if isinstance(outcome, Attempt):
            starts.append(outcome)
        elif outcome is not None:
            status = scheduled_job_runs.build_status(candidate.request, outcome, now)
            enqueues += [outcome.until] if outcome.until else []
        if status != stored.status or stored.unreadable:
            statuses[stored.uid] = status
        elif (end := find_end_of_life(stored)) is not None:
            deletes += [stored] if end <= now else []
            enqueues += [end] if end > now else []
    return RunRequestDecision(tuple(starts), statuses, tuple(deletes), min(enqueues, default=None))


def decide_orphaned_run_requests(
    requests: Iterable[ScheduledJobRun],
    decided: Mapping[str, JsonObject],
    jobs: Iterable[ObservedJob],
    now: datetime,
) -> RunRequestDecision:
    """Answer those whose ScheduledJob is not there any more; `jobs` are what is left of its Jobs."""
    runs = {run_id: build_run(job, (), now) for run_id, job in select_newest_attempts(jobs).items()}
    return decide_run_requests(
        list_candidates(requests, ParentState(runs=runs, decided=decided), now), None, now
    )


def read_started(
    requests: Iterable[ScheduledJobRun], decided: Mapping[str, JsonObject], parent_uid: str
) -> dict[str, Run]:
    """Read back the runs that started and have no result yet; where they stand is unknown."""
    newest = [replace(request, status=decided.get(request.uid) or request.status) for request in requests]
    return {
        request.uid: _parse_run(request)
        for request in newest
        if request.status.get("verdict") == Verdict.STARTED
        and not scheduled_job_runs.is_complete(request.status)
        and request.status.get("scheduledJobUid") == parent_uid
    }


def list_unsettled(requests: Iterable[ScheduledJobRun]) -> frozenset[str]:
    """Find the runs whose outcome their ScheduledJobRun has not stored; their Jobs have to stay."""
    return frozenset(
        request.uid for request in requests if not scheduled_job_runs.is_complete(request.status)
    )


def _decide(
    request: ScheduledJobRun, parent_state: ParentState, now: datetime
) -> Attempt | RunRequestOutcome | None:
    """Decide about one: what to start, what to say, or None where all is said."""
    status, run = request.status, parent_state.runs.get(request.uid)
    has_started = status.get("verdict") == Verdict.STARTED
    if scheduled_job_runs.is_complete(status) and (has_started or run is None):
        return None
    if (
        run is not None
        and run.phase is not Phase.UNKNOWN
        and (run.phase.is_result or parent_state.job is not None)
    ):
        return scheduled_job_runs.describe_run(run, _uid_of(parent_state, request))
    if has_started or request.uid in parent_state.ended:
        return _decide_started(request, parent_state)
    if request.is_deleting:
        return None
    if request.is_restored and not status:
        return _refuse(Reason.RESTORED, "it came back from a backup; create another to run the job again")
    return _decide_new(request, parent_state, now)


def _decide_started(request: ScheduledJobRun, parent_state: ParentState) -> RunRequestOutcome | None:
    """Decide about one whose Job is not known: the schedule's status may have its end, or read the Job."""
    entry = parent_state.ended.get(request.uid)
    if entry is not None:
        return scheduled_job_runs.describe_entry(entry, request.status)
    if _has_parent(request, parent_state):
        return None
    return replace(_lose_parent(request), verdict=Verdict.STARTED)


def _decide_new(
    request: ScheduledJobRun, parent_state: ParentState, now: datetime
) -> Attempt | RunRequestOutcome | None:
    if not _has_parent(request, parent_state):
        if request.status.get("scheduledJobUid"):
            return _lose_parent(request)
        words = f"there is no ScheduledJob {request.parent_name} in this namespace"
        return _await(request, Reason.NOT_FOUND, words, now)
    if request.uid in parent_state.starting and request.uid not in parent_state.postponed:
        return None
    outcome = _find_refusal(request, parent_state) or _admit(request, parent_state, now)
    return (
        outcome
        if isinstance(outcome, Attempt)
        else replace(outcome, parent_uid=_uid_of(parent_state, request))
    )


def _find_refusal(request: ScheduledJobRun, parent_state: ParentState) -> RunRequestOutcome | None:
    """Tell what the API server says to the create of its Job, if it has refused one."""
    if (record := parent_state.refused.get(request.uid)) is not None:
        return _refuse(record.reason, record.message)
    if (words := parent_state.postponed.get(request.uid)) is not None:
        return RunRequestOutcome(
            None, None, Reason.CREATE_FAILED, f"refused for now, and tried again: {words}"
        )
    return None


def _admit(request: ScheduledJobRun, parent_state: ParentState, now: datetime) -> Attempt | RunRequestOutcome:
    """Decide by the specs of both; the concurrency rule comes after."""
    plan, has_waited = parent_state.plan, scheduled_job_runs.is_waiting(request.status)
    if not isinstance(plan, Plan):
        return _wait_on(request, plan) if has_waited else _decide_unrunnable(request, plan, now)
    if (problem := check_nesting(request.spec)) is not None:
        return _refuse(problem.reason, problem.message)
    try:
        spec = ScheduledJobRunSpec.model_validate(request.spec)
    except ValidationError as error:
        return _refuse(Reason.INVALID_SPEC, describe_validation_error(error))
    wrong_slot = None if has_waited else find_slot_problem(spec.scheduled_for, plan, now)
    if wrong_slot is not None:
        return _refuse(Reason.INVALID_SLOT, wrong_slot)
    args, schema = spec.args, plan.parameters_schema
    if args is not None and (problem := check_args(args) or check_fit(args, schema)) is not None:
        return _refuse(problem.reason, problem.message)
    if parent_state.starts_held_by:
        words = f"starts are held by {parent_state.starts_held_by}"
        return (
            _wait_in_line(request, words) if has_waited else RunRequestOutcome(None, None, Reason.HELD, words)
        )
    if parent_state.is_stopped:
        return _stop(request)
    return _build_attempt(request, spec, plan, parent_state)


def _stop(request: ScheduledJobRun) -> RunRequestOutcome:
    """Let one wait until the status of its ScheduledJob can be stored; one that waits keeps its place."""
    if scheduled_job_runs.is_waiting(request.status):
        return scheduled_job_runs.describe_waiting(Reason(request.status["reason"]))
    words = "waits until the status of its ScheduledJob can be stored: its Event StatusNotStored says why not"
    return RunRequestOutcome(None, None, Reason.STATUS_NOT_STORED, words)


def _take_turn(candidate: Candidate, turns: RequestPlacement) -> Attempt | RunRequestOutcome | None:
    """Let one start that has a place; the others wait, or are refused."""
    attempt, uid = candidate.outcome, candidate.request.uid
    if not isinstance(attempt, Attempt):
        return attempt
    if (record := turns.skipped.get(uid)) is not None:
        fate = _refuse(record.reason, f"{record.message}; {_describe_way_out(candidate.request)}")
    elif (reason := turns.waiting.get(uid)) is not None:
        fate = scheduled_job_runs.describe_waiting(reason)
    else:
        return attempt
    return replace(fate, parent_uid=attempt.owner.uid)


def _describe_way_out(request: ScheduledJobRun) -> str:
    """Say what whoever asked can do about a place that another run has; a click can set no field."""
    if request.spec.get("source") == RunSource.MANUAL:
        return "start it again when a run has ended, or allow more instances"
    return "set ignoreConcurrency: true to start it all the same"


def _build_queue_entry(request: ScheduledJobRun) -> QueueEntry:
    asked_at = request.created_at
    reason = Reason.REPLACING if request.status.get("reason") == Reason.REPLACING else Reason.ALREADY_ACTIVE
    return QueueEntry(asked_at, asked_at, reason, request.uid)


def _decide_unrunnable(request: ScheduledJobRun, problem: Problem | None, now: datetime) -> RunRequestOutcome:
    """Say why its ScheduledJob cannot run; what is only missing may still come."""
    assert problem is not None
    words = f"ScheduledJob {request.parent_name}: {problem.message}"
    if problem.may_pass:
        return _await(request, problem.reason, words, now)
    return _refuse(problem.reason, words)


def _wait_on(request: ScheduledJobRun, problem: Problem | None) -> RunRequestOutcome:
    """Keep the place in line: neither an edit nor a TaskFunction that is missing loses what was accepted."""
    assert problem is not None
    return _wait_in_line(request, f"ScheduledJob {request.parent_name}: {problem.message}")


def _wait_in_line(request: ScheduledJobRun, words: str) -> RunRequestOutcome:
    return RunRequestOutcome(None, None, request.status["reason"], f"waits until this is over: {words}")


def _build_attempt(
    request: ScheduledJobRun, spec: ScheduledJobRunSpec, plan: Plan, parent_state: ParentState
) -> Attempt:
    job, slot = parent_state.job, spec.scheduled_for
    assert job is not None
    return Attempt(
        owner=Owner(job.ns, job.name, job.uid, job.generation),
        run_id=request.uid,
        trigger=Trigger.MANUAL if slot is None else Trigger.BACKFILL,
        slot=slot,
        previous_slot=plan.schedule.previous_slot(slot) if slot else None,
        attempt=1,
        args=plan.spec.args if spec.args is None else spec.args,
        timeout_seconds=plan.timeout_seconds,
        start_timeout_seconds=plan.spec.start_timeout_seconds or 0,
    )


def _refuse(reason: Reason, message: str) -> RunRequestOutcome:
    return RunRequestOutcome(Verdict.SKIPPED, Phase.FAILED, reason, message)


def _await(request: ScheduledJobRun, reason: Reason, words: str, now: datetime) -> RunRequestOutcome:
    """Wait for an object that is missing; the order in which objects are created does not matter."""
    until = request.created_at + MAX_QUEUE_WAIT
    if now >= until:
        return _refuse(reason, words)
    return RunRequestOutcome(
        None, None, reason, f"{words}; waits for it until {format_instant(until)}", until=until
    )


def _lose_parent(request: ScheduledJobRun) -> RunRequestOutcome:
    words = (
        f"ScheduledJob {request.parent_name} was deleted; one that is made by that name later is another one"
    )
    return _refuse(Reason.PARENT_DELETED, words)


def _has_parent(request: ScheduledJobRun, parent_state: ParentState) -> bool:
    """Tell whether its ScheduledJob is there, and the one that was seen first."""
    return parent_state.job is not None and _uid_of(parent_state, request) == parent_state.job.uid


def _uid_of(parent_state: ParentState, request: ScheduledJobRun) -> str:
    """Name the ScheduledJob that was seen first."""
    seen = request.status.get("scheduledJobUid")
    return str(seen or (parent_state.job.uid if parent_state.job else ""))


def _parse_run(request: ScheduledJobRun) -> Run:
    """Read one that started; the name of its first Job is known, whatever the status says.

    A slot that cannot be read has not started: who says so has written the status.
    """
    slot, status = request.spec.get("scheduledFor"), request.status
    slot = slot if slot and is_instant(slot) else None
    entry = {
        "runId": request.uid,
        "slot": slot,
        "trigger": Trigger.BACKFILL if slot else Trigger.MANUAL,
        "job": status.get("jobName") or names.build_job_name(request.parent_name, request.uid, 1),
        "startedAt": status.get("startedAt") or format_instant(request.created_at),
    }
    return parse_recorded_run(entry)


def find_end_of_life(request: ScheduledJobRun) -> datetime | None:
    """Find when one is to be deleted: what a tool would create again, and run again, is kept."""
    ttl = request.spec.get("ttlSecondsAfterFinished")
    completed_at = scheduled_job_runs.find_completion(request.status)
    if not isinstance(ttl, int) or completed_at is None or request.is_managed or request.is_deleting:
        return None
    return completed_at + timedelta(seconds=ttl)


def _age(request: ScheduledJobRun) -> tuple[datetime, str]:
    return request.created_at, request.name
