"""What do the objects of the cluster say of runs? One fact per object and run, read from raw JSON.

A fact has the (epoch, resourceVersion) of its object: newer ones replace older ones, in whatever order they
come. Instants stay RFC 3339 text, as the cluster wrote them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sundial_api.mirror.projection.run_messages import RunMessage, parse_message
from sundial_api.mirror.projection.sanitize import (
    fit_instant,
    parse_uuid,
    quote,
    require_instant,
    trim,
)
from sundial_api.mirror.projection.versions import Version
from sundial_clock.instants import format_instant
from sundial_core.resources import names
from sundial_core.resources.names import CREATED_BY
from sundial_core.resources.phases import Phase
from sundial_core.resources.raw import JsonObject
from sundial_core.runs import containers
from sundial_core.runs.early_ends import with_termination
from sundial_core.runs.jobs import parse_job
from sundial_core.runs.marks import read_attempt
from sundial_core.runs.pods import parse_pod
from sundial_core.runs.state import build_run

MAX_MESSAGE_CHARS = 2000


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which run it is: of which job, and what for."""

    run_id: str
    job_id: str
    namespace: str
    trigger: str
    slot: str | None


@dataclass(frozen=True, slots=True)
class JobFact:
    """What the Job of an attempt says; `has_own_reason`: why it failed is known better than by its Pods."""

    uid: str
    name: str
    version: Version
    phase: str
    reason: str
    message: str
    created_at: str
    completed_at: str | None
    instance: str | None
    has_own_reason: bool
    is_gone: bool = False
    celery_task: str | None = None
    """The id of the Celery task that it sends; of other functions none."""


@dataclass(frozen=True, slots=True)
class PodFact:
    """What the Pod of an attempt says; of several, the one of the highest rank is shown."""

    uid: str
    name: str
    version: Version
    rank: int
    node: str | None
    started_at: str | None
    completed_at: str | None
    exit_code: int | None
    reason: str
    message: str
    result: Any = None
    error: str | None = None
    traceback: str | None = None
    job_uid: str = ""
    """The UID of the Job that controls it; empty in rows of a release that did not keep it."""
    celery_task: str | None = None
    """The id of the Celery task that really ran."""
    truncated: list[str] = field(default_factory=list)
    """The paths of what it left out of result, error and traceback."""


@dataclass(frozen=True, slots=True)
class RunRequestFact:
    """What the ScheduledJobRun of a run says; `result` is empty while it has none.

    `completed_at` of one that was withdrawn is when the mirror saw that it is gone.
    """

    version: Version
    name: str
    parent_name: str
    created_at: str
    source: str
    has_started: bool = False
    started_at: str | None = None
    completed_at: str | None = None
    result: str = ""
    reason: str = ""
    message: str = ""
    user_id: str | None = None
    requested_by: str | None = None
    request_reason: str | None = None
    is_gone: bool = False

    def date_deletion(self, now: datetime) -> RunRequestFact:
        """Say when it was seen that it is gone, where it does not tell itself when its run ended."""
        if not self.is_gone or self.completed_at is not None:
            return self
        return replace(self, completed_at=format_instant(now))


@dataclass(frozen=True, slots=True)
class StatusFact:
    """What an entry of its schedule's `recentSlots` says of a run; `result` is empty while it has none."""

    version: Version
    started_at: str | None
    completed_at: str | None = None
    result: str = ""
    reason: str = ""
    message: str = ""


Part = JobFact | PodFact | RunRequestFact | StatusFact


@dataclass(frozen=True, slots=True)
class RunFact:
    """Something about a run; `number` is the attempt, 0 where it is about the run as a whole.

    `named_for` is the ScheduledJob for whose run and attempt a Job's name is right; empty when it is for
    none.
    """

    identity: RunIdentity
    number: int
    part: Part
    named_for: str = ""


def parse_job_fact(item: JsonObject, epoch: int) -> RunFact:
    """Read an attempt from its Job; raises ValueError when it does not tell its run."""
    job = parse_job(item)
    if not job.run_id or not job.owner_uid:
        raise ValueError("the Job does not tell its run, or has no controller")
    plain = build_run(job, (), job.created_at)
    annotations = item["metadata"].get("annotations") or {}
    run = with_termination(plain, job)
    part = JobFact(
        uid=job.uid,
        name=job.name,
        version=Version(epoch, job.resource_version),
        phase=run.phase.value,
        reason=trim(run.reason, 253) or "",
        message=quote(run.message, MAX_MESSAGE_CHARS) or "",
        created_at=item["metadata"]["creationTimestamp"],
        completed_at=fit_instant(format_instant(job.result_at)) if job.result_at else None,
        instance=parse_uuid(annotations.get(names.INSTANCE)),
        has_own_reason=run is not plain or run.phase is not Phase.FAILED,
        celery_task=parse_uuid(annotations.get(names.CELERY_TASK)),
    )
    slot = require_instant(format_instant(job.slot)) if job.slot else None
    identity = RunIdentity(_uuid(job.run_id), job.owner_uid, job.ns, job.trigger, slot)
    return RunFact(identity, job.attempt, part, job.named_for)


def parse_pod_fact(item: JsonObject, epoch: int) -> RunFact:
    """Read the Pod of an attempt; raises KeyError or ValueError when our marks are missing."""
    pod, metadata = parse_pod(item), item["metadata"]
    labels, annotations = metadata["labels"], metadata["annotations"]
    slot = annotations.get(names.SCHEDULED_FOR)
    ended = _get_end(item)
    reason, message = pod.failure or ("", "")
    said = find_message(item)[1] if ended else RunMessage()
    part = PodFact(
        uid=pod.uid,
        name=metadata["name"],
        version=Version(epoch, pod.resource_version),
        rank=3 if pod.failure else 2 if ended else 1 if pod.has_started else 0,
        node=(item.get("spec") or {}).get("nodeName"),
        started_at=_find_start(item),
        completed_at=fit_instant(ended.get("finishedAt")),
        exit_code=ended.get("exitCode"),
        reason=trim(reason, 253) or "",
        message=quote(message, MAX_MESSAGE_CHARS) or "",
        result=said.result,
        error=said.error,
        traceback=said.traceback,
        job_uid=pod.job_uid,
        celery_task=said.task_id,
        truncated=said.truncated,
    )
    identity = RunIdentity(
        run_id=_uuid(labels[names.RUN]),
        job_id=_uuid(pod.owner_uid),
        namespace=metadata["namespace"],
        trigger=labels[names.TRIGGER],
        slot=require_instant(slot) if slot else None,
    )
    return RunFact(identity, read_attempt(annotations[names.ATTEMPT]), part)


def parse_run_request_fact(item: JsonObject, epoch: int) -> RunFact:
    """Read a ScheduledJobRun; `identity.job_id` is empty until the operator has seen its ScheduledJob."""
    metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    slot = require_instant(spec["scheduledFor"]) if spec.get("scheduledFor") else None
    part = RunRequestFact(
        version=Version(epoch, int(metadata["resourceVersion"])),
        name=metadata["name"],
        parent_name=spec["scheduledJobName"],
        created_at=metadata["creationTimestamp"],
        source=spec.get("source", "api"),
        has_started=status.get("verdict") == "Started",
        started_at=fit_instant(status.get("startedAt")),
        completed_at=fit_instant(status.get("completedAt")),
        result=_parse_result(status),
        reason=trim(status.get("reason"), 253) or "",
        message=quote(status.get("message"), MAX_MESSAGE_CHARS) or "",
        user_id=parse_uuid((metadata.get("annotations") or {}).get(CREATED_BY)),
        requested_by=trim(spec.get("requestedBy"), 253),
        request_reason=trim(spec.get("reason"), 1000),
    )
    trigger = "backfill" if slot else "manual"
    parent = status.get("scheduledJobUid") or ""
    return RunFact(RunIdentity(_uuid(metadata["uid"]), parent, metadata["namespace"], trigger, slot), 0, part)


def parse_status_fact(entry: JsonObject, job_id: str, ns: str, version: Version) -> RunFact:
    """Read an entry of `recentSlots` that is about a run; raises KeyError or ValueError."""
    slot = require_instant(entry["slot"]) if entry.get("slot") else None
    part = StatusFact(
        version=version,
        started_at=fit_instant(entry.get("startedAt")) or slot,
        completed_at=fit_instant(entry.get("completedAt")),
        result=_parse_result(entry),
        reason=trim(entry.get("reason"), 253) or "",
        message=quote(entry.get("message"), MAX_MESSAGE_CHARS) or "",
    )
    trigger = entry.get("trigger", "schedule")
    return RunFact(RunIdentity(_uuid(entry["runId"]), job_id, ns, trigger, slot), 0, part)


def _parse_result(said: JsonObject) -> str:
    """Read a result; one of a newer operator that is not known here is a failure."""
    result = said.get("result") or ""
    known = {phase.value for phase in Phase if phase.is_result}
    return result if not result or result in known else Phase.FAILED.value


def _uuid(text: str) -> str:
    found = parse_uuid(text)
    if found is None:
        raise ValueError(f"{text!r} is not a UUID")
    return found


def _get_end(pod: JsonObject) -> JsonObject:
    """Find how the container ended that tells how its Pod did: one that failed, else the user's own."""
    if failed := containers.list_failures(pod):
        return containers.read_end(failed[0])
    own = [containers.read_end(state) for state in containers.list_own(pod)]
    return own[0] if own and all(own) else {}


def _find_start(pod: JsonObject) -> str | None:
    states = [
        state for container in containers.list_own(pod) for state in (container.get("state") or {}).values()
    ]
    return min(filter(None, (fit_instant(state.get("startedAt")) for state in states)), default=None)


def find_message(pod: JsonObject) -> tuple[str, RunMessage]:
    """Find what a container told of the run, after the name of that container; an empty one where none did.

    One that failed goes first, else the user's own, before all others.
    """
    for state in (*containers.list_failures(pod), *containers.list_all(pod)):
        message = parse_message(containers.read_end(state).get("message"))
        if message is not None:
            return state["name"], message
    return "", RunMessage()
