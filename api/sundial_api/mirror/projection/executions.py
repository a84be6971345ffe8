"""How does a run stand, and what is its row? Settles that from the facts that were merged (`merging.py`).

Pure: equal facts give an equal row, whatever their order (docs/architecture.md, "How an execution
stands").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sundial_api.mirror.projection import custody
from sundial_api.mirror.projection.api_values import (
    describe_error,
    name_status,
    name_trigger,
)
from sundial_api.mirror.projection.run_facts import (
    JobFact,
    PodFact,
    RunIdentity,
    RunRequestFact,
    StatusFact,
)
from sundial_api.mirror.projection.sanitize import plain
from sundial_api.mirror.projection.versions import OLDEST, Version
from sundial_clock.instants import parse_instant
from sundial_core.resources.phases import Phase
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import Reason
from sundial_core.status.omitted import NOTHING, Omitted

ANY_EXIT = "Error"
"""The reason of a container that ended with another code than 0, and for nothing that its node knows."""


@dataclass(frozen=True, slots=True)
class AttemptState:
    """An attempt as its Job and the Pod of that Job show it."""

    job: JobFact | None = None
    pod: PodFact | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """All that is known of a run; attempts by number."""

    identity: RunIdentity
    attempts: Mapping[int, AttemptState] = field(default_factory=dict)
    early_pods: Mapping[int, PodFact] = field(default_factory=dict)
    """Pods that came before the Job of their attempt: whether it is theirs is not known yet."""
    request_fact: RunRequestFact | None = None
    status_fact: StatusFact | None = None

    @property
    def number(self) -> int:
        """The number of the newest attempt, 0 while there is none."""
        return max(self.attempts, default=0)

    @property
    def is_proved(self) -> bool:
        """Whether it is known for certain whose run it is."""
        return self.request_fact is not None or custody.is_of_slot(self.identity)

    @property
    def newest(self) -> AttemptState:
        """The newest attempt."""
        return self.attempts.get(self.number, AttemptState())


@dataclass(frozen=True, slots=True)
class ExecutionStanding:
    """What the ScheduledJob of a run says about it."""

    version: Version = OLDEST
    cursor: str | None = None
    """Up to which slot the ScheduledJob has decided."""
    active: frozenset[str] = frozenset()
    """The ids of the runs that it lists as active."""
    omitted: Omitted = NOTHING
    """Which active runs its list leaves out."""
    horizon: str | None = None
    """How far back `recentSlots` tells of every slot; None while it tells of all."""
    deleted_at: str | None = None
    is_known: bool = True
    """Whether the mirror has seen the object."""


UNKNOWN_STANDING = ExecutionStanding(is_known=False)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run stands: `phase` is a result once it has ended."""

    phase: Phase
    reason: str = ""
    message: str = ""
    completed_at: str | None = None


def settle(execution: Execution, standing: ExecutionStanding) -> RunOutcome:
    """Settle how a run stands: what the operator recorded goes before what its newest Job says."""
    for fact in (execution.status_fact, execution.request_fact):
        if fact is not None and fact.result:
            return RunOutcome(Phase(fact.result), fact.reason, fact.message, fact.completed_at)
    shown = _parse_attempt(execution.newest)
    has_ended = has_left(execution, standing)
    if shown.phase.is_result and (has_ended or standing.deleted_at is not None):
        return shown
    if standing.deleted_at is not None or (not standing.is_known and _is_gone(execution)):
        message = "cancelled: its job was deleted"
        return RunOutcome(Phase.CANCELLED, "", message, standing.deleted_at)
    if execution.request_fact is not None and execution.request_fact.is_gone and _never_started(execution):
        return build_withdrawal(execution.request_fact.completed_at)
    if has_ended and _is_gone(execution):
        message = "its Job went before its outcome was seen"
        return RunOutcome(Phase.FAILED, Reason.OUTCOME_UNKNOWN.value, message)
    if shown.phase.is_result:
        return RunOutcome(Phase.WAITING, shown.reason, shown.message)
    return replace(shown, reason="", message="")


def build_withdrawal(completed_at: str | None) -> RunOutcome:
    """Build the outcome of a run whose ScheduledJobRun was deleted while it waited."""
    message = "its ScheduledJobRun was deleted before it started"
    return RunOutcome(Phase.CANCELLED, Reason.CANCELLED.value, message, completed_at)


def has_left(execution: Execution, standing: ExecutionStanding) -> bool:
    """Tell whether a run has left `status.active`, by a status that has told of it or is past it.

    One that was just created is not told of yet: it has not left.
    """
    identity = execution.identity
    if not standing.is_known or identity.run_id in standing.active or _is_omitted(execution, standing):
        return False
    if identity.trigger == "schedule" and identity.slot is not None:
        if standing.cursor is None or plain(standing.cursor) < plain(identity.slot):
            return False
    elif execution.request_fact is not None and not execution.request_fact.is_gone:
        return False
    begin = identity.slot or compute_start(execution)
    is_past = standing.horizon is not None and plain(begin) < plain(standing.horizon)
    is_gone = _is_gone(execution) and standing.version > _compute_version(execution)
    return execution.status_fact is not None or is_past or is_gone


def _is_omitted(execution: Execution, standing: ExecutionStanding) -> bool:
    """Tell whether a list that was cut short says nothing of a run: it may be active all the same.

    A Job that is gone with its result tells that it has ended: else the Job would be there.
    """
    identity, job = execution.identity, execution.newest.job
    if not standing.omitted.count or (job is not None and job.is_gone and Phase(job.phase).is_result):
        return False
    if identity.trigger != "schedule" or identity.slot is None:
        return True
    return standing.omitted.ranges.cover(parse_instant(identity.slot))


def _compute_version(execution: Execution) -> Version:
    job = execution.newest.job
    versions = [
        part.version for part in (job, execution.request_fact, execution.status_fact) if part is not None
    ]
    return max(versions, default=OLDEST)


def _is_gone(execution: Execution) -> bool:
    """Tell whether nothing is left in the cluster from which its outcome could come."""
    job = execution.newest.job
    is_requested = execution.request_fact is not None and not execution.request_fact.is_gone
    return not is_requested and (job is None or job.is_gone)


def _never_started(execution: Execution) -> bool:
    request = execution.request_fact
    has_started = request is not None and request.has_started
    return not execution.attempts and execution.status_fact is None and not has_started


def _parse_attempt(attempt: AttemptState) -> RunOutcome:
    """Read how an attempt stands: a container that runs shows sooner at the Pod, why it failed only there."""
    job, pod = attempt.job, attempt.pod
    if job is None:
        return RunOutcome(Phase.RUNNING if pod is not None and pod.rank else Phase.PENDING)
    phase = Phase(job.phase)
    if phase is Phase.PENDING and pod is not None and pod.rank:
        phase = Phase.RUNNING
    if pod is not None and pod.rank == 3 and phase is Phase.FAILED and not job.has_own_reason:
        return RunOutcome(phase, pod.reason, pod.message, job.completed_at)
    return RunOutcome(phase, job.reason, job.message, job.completed_at)


def compute_start(execution: Execution) -> str:
    """Find when a run began: with its first Job, until then when it was asked for."""
    first = execution.attempts.get(1, AttemptState()).job
    status, request = execution.status_fact, execution.request_fact
    jobs = [attempt.job.created_at for attempt in execution.attempts.values() if attempt.job]
    pods = [a.pod.started_at for a in execution.attempts.values() if a.pod and a.pod.started_at]
    candidates = (
        first.created_at if first else None,
        status.started_at if status else None,
        request.started_at if request else None,
        min(jobs, default=None),
        request.created_at if request else None,
        execution.identity.slot,
        min(pods, default=None),
    )
    return next((instant for instant in candidates if instant), "1970-01-01T00:00:00Z")


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """A row of `scheduled_job_executions`, without what the database computes."""

    id: str
    job_id: str
    namespace: str
    celery_task_id: str | None
    status: str
    phase: str
    reason: str | None
    scheduled_for: str | None
    started_at: str
    completed_at: str | None
    result: Any
    error_message: str | None
    error_traceback: str | None
    triggered_by: str
    triggered_by_user_id: str | None
    requested_by: str | None
    request_reason: str | None
    run_name: str | None
    scheduler_instance_id: str | None
    attempt: int
    attempts: list[JsonObject]
    job_name: str | None
    pod_name: str | None
    node: str | None
    exit_code: int | None
    schedule_resource_version: int
    run_resource_version: int
    job_resource_version: int
    pod_resource_version: int
    epoch: int
    sources: JsonObject


def build_row(execution: Execution, standing: ExecutionStanding) -> ExecutionRow:
    """Build the row of a run as it stands."""
    outcome, newest = settle(execution, standing), execution.newest
    job, pod, request, status = newest.job, newest.pod, execution.request_fact, execution.status_fact
    has_failed = outcome.phase.is_result and outcome.phase is not Phase.SUCCEEDED
    identity = execution.identity
    started_at = compute_start(execution)
    return ExecutionRow(
        id=identity.run_id,
        job_id=identity.job_id,
        namespace=identity.namespace,
        celery_task_id=(pod.celery_task if pod else None) or (job.celery_task if job else None),
        status=name_status(outcome.phase),
        phase=outcome.phase.value,
        reason=outcome.reason or None,
        scheduled_for=identity.slot,
        started_at=started_at,
        completed_at=max(outcome.completed_at, started_at) if outcome.completed_at else None,
        result=pod.result if pod and outcome.phase.is_result else None,
        error_message=_describe_failure(outcome, pod) if has_failed else None,
        error_traceback=pod.traceback if pod and has_failed else None,
        triggered_by=name_trigger(identity.trigger, request.source if request else None),
        triggered_by_user_id=request.user_id if request else None,
        requested_by=request.requested_by if request else None,
        request_reason=request.request_reason if request else None,
        run_name=request.name if request else None,
        scheduler_instance_id=job.instance if job else None,
        attempt=execution.number,
        attempts=[{"attempt": n, **_dump(a)} for n, a in sorted(execution.attempts.items())],
        job_name=job.name if job else None,
        pod_name=pod.name if pod else None,
        node=pod.node if pod else None,
        exit_code=pod.exit_code if pod else None,
        schedule_resource_version=status.version.number if status else 0,
        run_resource_version=request.version.number if request else 0,
        job_resource_version=job.version.number if job else 0,
        pod_resource_version=pod.version.number if pod else 0,
        epoch=max((p.version.epoch for p in (job, pod, request, status) if p is not None), default=0),
        sources=_dump_sources(execution),
    )


def _describe_failure(outcome: RunOutcome, pod: PodFact | None) -> str | None:
    """Say why a run failed; a container's reason for any exit code tells nothing beside its own sentence."""
    if pod is None or not pod.error:
        return describe_error(outcome.reason, outcome.message)
    return describe_error("" if outcome.reason == ANY_EXIT else outcome.reason, pod.error)


def _dump(attempt: AttemptState) -> JsonObject:
    return {"job": _dump_part(attempt.job), "pod": _dump_part(attempt.pod)}


def _dump_part(part: JobFact | PodFact | RunRequestFact | StatusFact | None) -> JsonObject | None:
    if part is None:
        return None
    return {name: getattr(part, name) for name in part.__slots__} | {"version": list(part.version)}


def _dump_sources(execution: Execution) -> JsonObject:
    return {
        "identity": {name: getattr(execution.identity, name) for name in RunIdentity.__slots__},
        "early": {str(number): _dump_part(pod) for number, pod in execution.early_pods.items()},
        "asked": _dump_part(execution.request_fact),
        "told": _dump_part(execution.status_fact),
    }


def load(sources: JsonObject, attempts: list[JsonObject]) -> Execution:
    """Read back what a row was built from; earlier releases had Pods without a Job among the attempts."""
    request, status = sources["asked"], sources["told"]
    early = {int(number): pod for number, pod in sources.get("early", {}).items()}
    early |= {entry["attempt"]: entry["pod"] for entry in attempts if not entry["job"] and entry["pod"]}
    return Execution(
        identity=RunIdentity(**sources["identity"]),
        attempts={
            entry["attempt"]: AttemptState(
                JobFact(**_versioned(entry["job"])),
                PodFact(**_versioned(entry["pod"])) if entry["pod"] else None,
            )
            for entry in attempts
            if entry["job"]
        },
        early_pods={number: PodFact(**_versioned(pod)) for number, pod in early.items()},
        request_fact=RunRequestFact(**_versioned(request)) if request else None,
        status_fact=StatusFact(**_versioned(status)) if status else None,
    )


def _versioned(part: JsonObject) -> JsonObject:
    return part | {"version": Version(*part["version"])}
