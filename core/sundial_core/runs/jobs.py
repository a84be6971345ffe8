"""What the Jobs and Pods of a schedule say: a Job is an attempt, the Jobs of one run id are a run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sundial_clock.instants import LATEST, parse_instant
from sundial_core.resources import names
from sundial_core.resources.messages import clean_message
from sundial_core.resources.objects import controller_uid
from sundial_core.resources.phases import Phase, Trigger
from sundial_core.resources.raw import JsonObject
from sundial_core.runs import marks
from sundial_core.runs.pods import ObservedPod
from sundial_core.runs.run import Run
from sundial_core.runs.runner_pods import find_runner


@dataclass(frozen=True, slots=True)
class ObservedJob:
    """One of our Jobs as last seen: what deciding needs, nothing else."""

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
    """When the result was known."""
    released_at: datetime | None
    """When all its Pods were gone too."""
    is_deleting: bool
    ended: str = ""
    """Why it was ended early, if it was."""
    retries_used: int = 0
    """How many attempts before it count as retries."""
    disruptions: int = 0
    """How many attempts before it were disrupted."""
    timeout_seconds: int = 0
    """The active deadline that it was given."""
    start_timeout_seconds: int = 0
    """Until when a container must have started; 0: not said."""
    had_pods: bool = False
    """A Pod was created."""
    ended_message: str = ""
    """More of why it was ended early."""
    is_cut_short: bool = False
    """It was ended while it ran, and not when it had failed by itself."""
    is_cancelled: bool = False
    """Somebody wants its run to end."""
    is_suspended: bool = False
    started_at: datetime | None = None
    """Since when its deadline counts."""
    named_for: str = ""
    """The UID of the ScheduledJob for whose run and attempt its name is right; empty when it is for none
    (docs/semantics.md, "Which Jobs are ours")."""
    changed: tuple[str, ...] = ()
    """The marks that somebody has changed."""
    has_runner: bool = False
    """Its Pods call a function or send a Celery task."""
    installation: str = ""
    """Which one created it, as its label says."""
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
    outcome = parse_outcome(status, created_at)
    owner_uid = controller_uid(metadata)
    fixed = marks.list_fixed(item)
    run_id, trigger, slot, attempt, named_for = _parse_identity(fixed, metadata["name"], owner_uid)
    counts = retries_used, disruptions = marks.parse_counts(annotations, attempt)
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
        timeout_seconds=marks.parse_timeout(item),
        start_timeout_seconds=marks.parse_start_timeout(annotations),
        had_pods=any(status.get(count) for count in POD_COUNTS),
        ended_message=clean_message(annotations.get(names.ENDED_MESSAGE, "")),
        is_cut_short=names.TIMEOUT in annotations,
        is_cancelled=annotations.get(names.CANCEL, "false") != "false",
        is_suspended=(item.get("spec") or {}).get("suspend") is True,
        started_at=_parse_time(status.get("startTime")),
        named_for=named_for,
        changed=marks.list_changed_marks(item, fixed, counts),
        has_runner=_has_runner(item),
        installation=sys.intern((metadata.get("labels") or {}).get(names.INSTALLATION, "")),
    )


def _has_runner(item: JsonObject) -> bool:
    template = (item.get("spec") or {}).get("template") or {}
    return find_runner(template.get("spec") or {}) is not None


class JobIdentity(NamedTuple):
    """Which attempt of which run a Job is; `named_for` as in ObservedJob."""

    run_id: str = ""
    trigger: Trigger = Trigger.SCHEDULE
    slot: datetime | None = None
    attempt: int = 0
    named_for: str = ""


def _parse_identity(fixed: Iterable[marks.Fixed], job_name: str, owner_uid: str) -> JobIdentity:
    """Read which attempt a Job is from the marks that its name proves, else from the first.

    The id of a slot's run proves its trigger too.
    """
    found = [_parse_marks(source, job_name, owner_uid) for source in fixed]
    proved = [identity for identity in found if identity.named_for]
    of_slot = (identity for identity in proved if identity.trigger is Trigger.SCHEDULE)
    return next(of_slot, (proved or found)[0])


def _parse_marks(fixed: marks.Fixed, job_name: str, owner_uid: str) -> JobIdentity:
    """Read which attempt the marks tell; where they cannot be read, none."""
    try:
        slot = parse_instant(fixed.slot) if fixed.slot else None
        trigger, attempt = Trigger(fixed.trigger or ""), marks.read_attempt(fixed.attempt or "")
    except ValueError:
        return JobIdentity()
    run_id = fixed.run or ""
    is_run = bool(run_id) and (trigger is not Trigger.SCHEDULE or names.is_run_of(run_id, owner_uid, slot))
    named_for = names.compute_named_for(job_name, run_id, attempt) if is_run else ""
    return JobIdentity(run_id, trigger, slot, attempt, named_for)


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What a Job's status says about its attempt."""

    phase: Phase
    reason: str = ""
    message: str = ""
    result_at: datetime | None = None
    released_at: datetime | None = None


def parse_outcome(status: Mapping[str, Any], created_at: datetime) -> JobOutcome:
    """Read a Job's conditions: FailureTarget is the result already, Failed that the Pods are gone too.

    On a dead node a Job stays at FailureTarget; SuccessCriteriaMet likewise comes before Complete. Without
    a time a condition counts from the Job's creation.
    """
    true = {c.get("type"): c for c in status.get("conditions") or () if c.get("status") == "True"}
    final = true.get("Complete") or true.get("Failed")
    result = true.get("FailureTarget") or true.get("SuccessCriteriaMet") or final
    if result is None:
        running = status.get("ready") or status.get("terminating")
        return JobOutcome(Phase.RUNNING if running else Phase.PENDING)
    reason = str(result.get("reason", ""))
    return JobOutcome(
        phase=_result_phase(str(result["type"]), reason),
        reason=reason,
        message=clean_message(str(result.get("message", ""))),
        result_at=_parse_time(result.get("lastTransitionTime")) or created_at,
        released_at=(_parse_time(final.get("lastTransitionTime")) or created_at) if final else None,
    )


def _parse_time(text: str | None) -> datetime | None:
    """Read a time of a Job's status, where who may write it may write any."""
    return min(parse_instant(text), LATEST) if text else None


def _result_phase(condition: str, reason: str) -> Phase:
    if condition in ("Complete", "SuccessCriteriaMet"):
        return Phase.SUCCEEDED
    return Phase.TIMED_OUT if reason == "DeadlineExceeded" else Phase.FAILED


def select_newest_attempts(jobs: Iterable[ObservedJob]) -> dict[str, ObservedJob]:
    """Map each run id to the Job of its newest attempt."""
    newest: dict[str, ObservedJob] = {}
    for job in jobs:
        known = newest.get(job.run_id)
        if known is None or job.attempt > known.attempt:
            newest[job.run_id] = job
    return newest
