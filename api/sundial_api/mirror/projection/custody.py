"""Whose run is a fact about? Labels only select; ids, namespace, owner and name prove.

Who may create Jobs, Pods or ScheduledJobs in one namespace can write any run's id on them
(docs/architecture.md, "Chain of custody").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sundial_api.mirror.projection.rejects import Origin, Reject, build_reject
from sundial_api.mirror.projection.run_facts import JobFact, PodFact, RunFact, RunIdentity, RunRequestFact
from sundial_clock.instants import parse_instant
from sundial_core.resources import names
from sundial_core.resources.phases import Trigger
from sundial_core.resources.raw import JsonObject


@dataclass(frozen=True, slots=True)
class RunOwner:
    """The ScheduledJob of a run, as far as it is mirrored: where it is, and its name there."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class KnownPod:
    """The Pod of an attempt as custody has proved it: its UID, and that of the Job that controls it."""

    ns: str
    name: str
    uid: str
    job_uid: str
    attempt: int


def list_known_pods(ns: str, attempts: Iterable[JsonObject]) -> Iterator[KnownPod]:
    """List the Pods of attempts, as they are stored, that are proved to be theirs, oldest first."""
    for entry in attempts:
        job, pod = entry["job"] or {}, entry["pod"] or {}
        if pod and job.get("uid") and pod.get("job_uid") == job["uid"]:
            yield KnownPod(ns, pod["name"], pod["uid"], job["uid"], entry["attempt"])


def is_credible(fact: RunFact, owner: RunOwner | None) -> bool:
    """Tell whether a fact may be about a run of its ScheduledJob; `owner` is None while that is not mirrored.

    The run of a slot proves itself, its id is made of the ScheduledJob's UID and the slot; a Job's name
    proves its run and attempt.
    """
    identity = fact.identity
    if owner is not None and owner.namespace != identity.namespace:
        return False
    if isinstance(fact.part, RunRequestFact):
        return owner is None or owner.name == fact.part.parent_name
    if isinstance(fact.part, JobFact):
        is_named = bool(fact.named_for) if owner is None else fact.named_for == owner.name
        if not is_named:
            return False
    return identity.trigger != Trigger.SCHEDULE or is_of_slot(identity)


def is_of_slot(identity: RunIdentity) -> bool:
    """Tell whether a run's id is that of a slot of its ScheduledJob."""
    if identity.trigger != Trigger.SCHEDULE or identity.slot is None:
        return False
    try:
        slot = parse_instant(identity.slot)
    except ValueError:
        return False
    return names.is_run_of(identity.run_id, identity.job_id, slot)


def is_same_run(known: RunIdentity, told: RunIdentity) -> bool:
    """Tell whether two facts are about the same run; a ScheduledJobRun may not know its ScheduledJob yet."""
    is_same_job = known.job_id == told.job_id or not told.job_id
    return is_same_job and known.namespace == told.namespace


def build_refusal(fact: RunFact) -> Reject:
    """Build what is kept of an object that names a run which is not its own."""
    identity, part = fact.identity, fact.part
    claimed = f"run {identity.run_id} of ScheduledJob {identity.job_id}"
    if isinstance(part, JobFact):
        kind, key, name = "Job", part.uid, part.name
    elif isinstance(part, PodFact):
        kind, key, name = "Pod", part.uid, part.name
    elif isinstance(part, RunRequestFact):
        kind, key, name = "ScheduledJobRun", identity.run_id, part.name
    else:
        kind, key, name = "ScheduledJob", identity.job_id, ""
    version = part.version
    origin = Origin(kind, key, identity.namespace, name, version.number, version.epoch)
    return build_reject(origin, f"it is not of the run that it names: {claimed}")
