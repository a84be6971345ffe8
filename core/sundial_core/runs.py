"""What the Jobs and Pods of a schedule say: a Job is an attempt, the Jobs of one run id are a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from sundial_clock.instants import LATEST, parse_instant
from sundial_core import containers, marks, names
from sundial_core.conditions import Reason
from sundial_core.foreign_text import clean_message
from sundial_core.model import JsonObject


class Trigger(StrEnum):
    """What started a run."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    BACKFILL = "backfill"


class Phase(StrEnum):
    """Where a run stands; Waiting is between two attempts, Unknown until its Job has been read."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"
    CANCELLED = "Cancelled"
    WAITING = "Waiting"
    UNKNOWN = "Unknown"

    @property
    def is_result(self) -> bool:
        """Tell whether the attempt has a result."""
        return self in RESULTS


RESULTS = (Phase.SUCCEEDED, Phase.FAILED, Phase.TIMED_OUT, Phase.CANCELLED)


@dataclass(frozen=True, slots=True)
class ObservedJob:
    """One of our Jobs as last seen: what deciding needs, nothing else.

    `result_at` is when the result was known, `released_at` when all its Pods were gone too.
    `retries_used` and `disruptions` count the attempts before it; `timeout_seconds` is what it was given,
    `start_timeout_seconds` until a container must have started (0: not said). `had_pods`: a Pod was created.
    `ended` says why it was ended early, if it was, `ended_message` more of that; `is_cut_short`: while it
    ran, and not when it had failed by itself. `is_cancelled`: a person wants its run to end.
    `named_for` is the ScheduledJob for whose run and attempt its name is right, empty when it is for none
    (docs/semantics.md, "Which Jobs are ours"); `changed` are the marks that somebody has changed.
    `started_at` is since when its deadline counts.
    """

    uid: str
    resource_version: int
    ns: str
    name: str
    owner_uid: str
    run_id: str
    trigger: Trigger
    slot: datetime | None
    attempt: int
    created_at: datetime
    phase: Phase
    reason: str
    message: str
    result_at: datetime | None
    released_at: datetime | None
    is_deleting: bool
    ended: str = ""
    retries_used: int = 0
    disruptions: int = 0
    timeout_seconds: int = 0
    start_timeout_seconds: int = 0
    had_pods: bool = False
    ended_message: str = ""
    is_cut_short: bool = False
    is_cancelled: bool = False
    is_suspended: bool = False
    started_at: datetime | None = None
    named_for: str = ""
    changed: tuple[str, ...] = ()
    _run: tuple[tuple[ObservedPod, ...], Run] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def recall_run(self, pods: tuple[ObservedPod, ...], read: Callable[[], Run]) -> Run:
        """Give the run that this Job and its Pods show: read once, unless time alone changes it.

        Most of thousands of Jobs are as they were at the last decision.
        """
        if self._run is not None and self._run[0] == pods:
            return self._run[1]
        run = read()
        if self.result_at is None or self.released_at is not None:
            object.__setattr__(self, "_run", (pods, run))
        return run


POD_COUNTS = ("active", "ready", "terminating", "succeeded", "failed")


def parse_job(item: JsonObject) -> ObservedJob:
    """Read a Job with our label from its JSON, whatever has been done to its marks.

    Without a controller, or where nothing tells its run and attempt, these are empty: it is nobody's.
    """
    metadata = item["metadata"]
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    status = item.get("status") or {}
    created_at = parse_instant(metadata["creationTimestamp"])
    outcome = read_outcome(status, created_at)
    owner_uid = _controller_uid(metadata)
    fixed = marks.list_fixed(item)
    run_id, trigger, slot, attempt, named_for = _read_identity(fixed, metadata["name"], owner_uid)
    counts = retries_used, disruptions = marks.read_counts(annotations, attempt)
    return ObservedJob(
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        ns=metadata["namespace"],
        name=metadata["name"],
        owner_uid=owner_uid,
        run_id=run_id,
        trigger=trigger,
        slot=slot,
        attempt=attempt,
        created_at=created_at,
        phase=outcome.phase,
        reason=outcome.reason,
        message=outcome.message,
        result_at=outcome.result_at,
        released_at=outcome.released_at,
        is_deleting="deletionTimestamp" in metadata,
        ended=annotations.get(names.ENDED, ""),
        retries_used=retries_used,
        disruptions=disruptions,
        timeout_seconds=marks.read_timeout(item),
        start_timeout_seconds=marks.read_start_timeout(annotations),
        had_pods=any(status.get(count) for count in POD_COUNTS),
        ended_message=clean_message(annotations.get(names.ENDED_MESSAGE, "")),
        is_cut_short=names.TIMEOUT in annotations,
        is_cancelled=annotations.get(names.CANCEL, "false") != "false",
        is_suspended=(item.get("spec") or {}).get("suspend") is True,
        started_at=_read_time(status.get("startTime")),
        named_for=named_for,
        changed=marks.find_changed(item, fixed, counts),
    )


class Identity(NamedTuple):
    """Which attempt of which run a Job is; `named_for` as in ObservedJob."""

    run_id: str = ""
    trigger: Trigger = Trigger.SCHEDULE
    slot: datetime | None = None
    attempt: int = 0
    named_for: str = ""


def _read_identity(fixed: Iterable[marks.Fixed], job_name: str, owner_uid: str) -> Identity:
    """Read which attempt a Job is from the marks that its name proves, else from the first.

    The id of a slot's run proves its trigger too.
    """
    found = [_read_marks(one, job_name, owner_uid) for one in fixed]
    proved = [one for one in found if one.named_for]
    return next((one for one in proved if one.trigger is Trigger.SCHEDULE), (proved or found)[0])


def _read_marks(fixed: marks.Fixed, job_name: str, owner_uid: str) -> Identity:
    """Read which attempt the marks tell; where they cannot be read, none."""
    try:
        slot = parse_instant(fixed.slot) if fixed.slot else None
        trigger, attempt = Trigger(fixed.trigger or ""), marks.read_attempt(fixed.attempt or "")
    except ValueError:
        return Identity()
    run_id = fixed.run or ""
    is_run = bool(run_id) and (trigger is not Trigger.SCHEDULE or names.is_run_of(run_id, owner_uid, slot))
    named_for = names.find_named_for(job_name, run_id, attempt) if is_run else ""
    return Identity(run_id, trigger, slot, attempt, named_for)


def _controller_uid(metadata: Mapping[str, Any]) -> str:
    """Read by whose UID an object is controlled; empty without a controller."""
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["uid"])
    return ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a Job's status says about its attempt."""

    phase: Phase
    reason: str = ""
    message: str = ""
    result_at: datetime | None = None
    released_at: datetime | None = None


def read_outcome(status: Mapping[str, Any], created_at: datetime) -> Outcome:
    """Read a Job's conditions: FailureTarget is the result already, Failed that the Pods are gone too.

    On a dead node a Job stays at FailureTarget; SuccessCriteriaMet likewise comes before Complete. Without
    a time a condition counts from the Job's creation.
    """
    true = {c.get("type"): c for c in status.get("conditions") or () if c.get("status") == "True"}
    final = true.get("Complete") or true.get("Failed")
    result = true.get("FailureTarget") or true.get("SuccessCriteriaMet") or final
    if result is None:
        running = status.get("ready") or status.get("terminating")
        return Outcome(Phase.RUNNING if running else Phase.PENDING)
    reason = str(result.get("reason", ""))
    return Outcome(
        phase=_result_phase(str(result["type"]), reason),
        reason=reason,
        message=clean_message(str(result.get("message", ""))),
        result_at=_read_time(result.get("lastTransitionTime")) or created_at,
        released_at=(_read_time(final.get("lastTransitionTime")) or created_at) if final else None,
    )


def _read_time(text: str | None) -> datetime | None:
    """Read a time of a Job's status, where who may write it may write any."""
    return min(parse_instant(text), LATEST) if text else None


def _result_phase(condition: str, reason: str) -> Phase:
    if condition in ("Complete", "SuccessCriteriaMet"):
        return Phase.SUCCEEDED
    return Phase.TIMED_OUT if reason == "DeadlineExceeded" else Phase.FAILED


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """A Pod of one of our Jobs as last seen.

    `has_started`: one of the user's own containers has. `failure` is the reason and a sentence when a
    container ended with another code than 0, theirs before all others', `wait` the reason and a message why
    none has started.
    """

    uid: str
    resource_version: int
    owner_uid: str
    job_uid: str
    has_started: bool
    failure: tuple[str, str] | None
    wait: tuple[str, str] | None = None
    ns: str = ""


def parse_pod(item: JsonObject) -> ObservedPod:
    """Read a Pod of ours from its JSON; what its containers wrote is left out, it may hold secrets.

    Raises KeyError or ValueError when our marks are missing.
    """
    metadata = item["metadata"]
    status = item.get("status") or {}
    job_uid = _controller_uid(metadata)
    if not job_uid:
        raise ValueError("the Pod has no controller")
    failures = containers.list_failures(item)
    return ObservedPod(
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        owner_uid=metadata["labels"][names.SCHEDULED_JOB_UID],
        job_uid=job_uid,
        has_started=containers.has_started(item),
        failure=_describe_failure(failures[0]) if failures else None,
        wait=_find_wait(status, containers.list_all(item)),
        ns=metadata.get("namespace", ""),
    )


def _find_wait(status: Mapping[str, Any], states: Iterable[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Find why no container has started: what one waits for, else why the Pod has no node."""
    waits = [(one.get("state") or {}).get("waiting") or {} for one in states]
    telling = [wait for wait in waits if wait.get("reason") not in (None, *USUAL_WAITS)]
    unscheduled = [
        condition
        for condition in status.get("conditions") or ()
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False"
    ]
    usual = [wait for wait in waits if wait.get("reason")]
    found = next(iter((*telling, *unscheduled, *usual)), None)
    if found is None:
        return None
    return str(found.get("reason", "")), clean_message(str(found.get("message", "")))


USUAL_WAITS = ("ContainerCreating", "PodInitializing")


def _describe_failure(state: JsonObject) -> tuple[str, str]:
    end = containers.read_end(state)
    reason = clean_message(str(end.get("reason") or "Error"))
    sentence = f"container {state['name']} exited with code {end.get('exitCode')}"
    return reason, sentence if reason == "Error" else f"{sentence} ({reason})"


def find_newest_attempts(jobs: Iterable[ObservedJob]) -> dict[str, ObservedJob]:
    """Map each run id to the Job of its newest attempt."""
    newest: dict[str, ObservedJob] = {}
    for job in jobs:
        known = newest.get(job.run_id)
        if known is None or job.attempt > known.attempt:
            newest[job.run_id] = job
    return newest


LONGEST_RELEASE = timedelta(minutes=5)
"""How long a run with a result keeps its place while its Pods are not known to be gone (dead node)."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its newest attempt shows it; `holds_place` is what concurrency counts.

    `start_by` is until when a container has to have started, while none has, `overdue_at` until when the
    attempt has to have a result, while it has none.
    """

    run_id: str
    slot: datetime | None
    trigger: Trigger
    attempt: int
    job_name: str
    phase: Phase
    reason: str
    message: str
    started_at: datetime | None
    completed_at: datetime | None
    holds_place: bool
    retry_at: datetime | None = None
    start_by: datetime | None = None
    overdue_at: datetime | None = None


class KnownRuns(dict[str, Run]):
    """The runs that are known, by their ids; not changed once anything was asked of them."""

    @cached_property
    def started_slots(self) -> frozenset[datetime]:
        """The slots that have a run of their own."""
        return frozenset(
            run.slot for run in self.values() if run.slot is not None and run.trigger is Trigger.SCHEDULE
        )

    @cached_property
    def holding(self) -> tuple[Run, ...]:
        """The runs that hold a place."""
        return tuple(run for run in self.values() if run.holds_place)


def build_run(job: ObservedJob, pods: Iterable[ObservedPod], now: datetime) -> Run:
    """Read a run from the Job of its newest attempt and that Job's Pods."""
    pods = tuple(pods)
    is_held = job.released_at is None and (job.result_at is None or now < job.result_at + LONGEST_RELEASE)
    has_started = job.phase is Phase.PENDING and any(pod.has_started for pod in pods)
    reason, message = job.reason, job.message
    if job.phase is Phase.FAILED:
        reason, message = next((pod.failure for pod in pods if pod.failure), (reason, message))
    if job.released_at is None and not is_held:
        message = f"{reason}; its Pods are not known to be gone five minutes later"
        reason = Reason.POD_UNREACHABLE.value
    return Run(
        run_id=job.run_id,
        slot=job.slot,
        trigger=job.trigger,
        attempt=job.attempt,
        job_name=job.name,
        phase=Phase.RUNNING if has_started else job.phase,
        reason=reason if job.phase is not Phase.SUCCEEDED else "",
        message=message if job.phase is not Phase.SUCCEEDED else "",
        started_at=job.created_at,
        completed_at=job.result_at,
        holds_place=is_held,
        start_by=find_start_by(job) if job.phase is Phase.PENDING and not has_started else None,
        overdue_at=find_overdue_at(job) if job.result_at is None else None,
    )


def read_recorded_run(entry: JsonObject) -> Run:
    """Read an active run back from a status; where it stands is unknown until its Job is read."""
    slot, started_at = entry.get("slot"), entry.get("startedAt")
    return Run(
        run_id=entry["runId"],
        slot=parse_instant(slot) if slot else None,
        trigger=Trigger(entry.get("trigger", Trigger.SCHEDULE)),
        attempt=int(entry.get("attempt", 1)),
        job_name=entry["job"],
        phase=Phase.UNKNOWN,
        reason="",
        message="",
        started_at=parse_instant(started_at) if started_at else None,
        completed_at=None,
        holds_place=True,
    )


def find_start_by(job: ObservedJob) -> datetime | None:
    """Find until when a container of an attempt has to have started.

    None while that is not known: the answer to a create is metadata only, the spec comes with the watch. None
    too while the Job is suspended; once it is resumed, its start time is that of the resumption.
    """
    if job.is_suspended or (not job.start_timeout_seconds and not job.timeout_seconds):
        return None
    seconds = job.start_timeout_seconds or find_start_timeout(job.timeout_seconds)
    return max(job.created_at, job.started_at or job.created_at) + timedelta(seconds=seconds)


OVERDUE_AFTER = timedelta(minutes=5)
"""How long after its deadline an attempt without a result is overdue."""


def find_overdue_at(job: ObservedJob) -> datetime:
    """Find when an attempt is overdue if it has no result by then."""
    seconds = job.timeout_seconds or marks.LONGEST_SECONDS
    return (job.started_at or job.created_at) + timedelta(seconds=seconds) + OVERDUE_AFTER


def find_start_timeout(timeout_seconds: int) -> int:
    """Find how many seconds an attempt may take to start, where nothing else is said."""
    return max(1, min(LONGEST_START_SECONDS, timeout_seconds * 8 // 10))


LONGEST_START_SECONDS = 600


def build_lost_run(run: Run, now: datetime) -> Run:
    """Describe a run whose newest Job is gone: a result that it had stands, else it was cancelled by that."""
    if run.phase.is_result:
        return replace(run, holds_place=False)
    return replace(
        run,
        overdue_at=None,
        phase=Phase.CANCELLED,
        reason=Reason.JOB_DELETED.value,
        message=f"its Job {run.job_name} was deleted, or has lost our label",
        completed_at=now,
        holds_place=False,
    )
