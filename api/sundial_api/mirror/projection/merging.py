"""What is known of a run when another fact about it comes? Merges facts in any order, and refuses false ones.

Pure; the rules: docs/architecture.md, "Chain of custody".
"""

from __future__ import annotations

from dataclasses import replace

from sundial_api.mirror.projection import custody
from sundial_api.mirror.projection.executions import AttemptState, Execution
from sundial_api.mirror.projection.run_facts import (
    JobFact,
    PodFact,
    RunFact,
    RunIdentity,
    RunRequestFact,
    StatusFact,
)


def merge(known: Execution | None, fact: RunFact) -> Execution:
    """Take a fact; one that is older than what is known of its object changes nothing.

    A fact about the same id that is of another job or namespace is refused, unless it proves whose run it is
    and what is known does not: then that was another's claim, and goes.
    """
    execution = known or Execution(fact.identity)
    part = fact.part
    if isinstance(part, RunRequestFact):
        return _merge_request(execution, fact.identity, part)
    if not custody.is_same_run(execution.identity, fact.identity):
        if execution.is_proved or not custody.is_of_slot(fact.identity):
            return execution
        execution = Execution(fact.identity)
    if isinstance(part, StatusFact):
        return _merge_status(execution, part)
    return _merge_attempt(execution, fact.number, part)


def is_refused(merged: Execution, fact: RunFact) -> bool:
    """Tell whether a fact was merged in vain: it is of another job or namespace, or of another Job's Pod."""
    if not custody.is_same_run(merged.identity, fact.identity):
        return True
    attempt = merged.attempts.get(fact.number)
    if not isinstance(fact.part, PodFact) or attempt is None or attempt.job is None:
        return False
    return fact.part.job_uid != attempt.job.uid


def _merge_attempt(execution: Execution, number: int, part: JobFact | PodFact) -> Execution:
    """Take a Job or a Pod; what no Job has begun is no attempt."""
    early = execution.early_pods.get(number)
    old = execution.attempts.get(number, AttemptState(pod=early))
    new = _merge_job(old, part) if isinstance(part, JobFact) else _merge_pod(old, part)
    if new is old:
        return execution
    if new.job is None:
        pods = {number: new.pod} if new.pod is not None else {}
        return replace(execution, early_pods={**execution.early_pods, **pods})
    others = {other: pod for other, pod in execution.early_pods.items() if other != number}
    return replace(execution, attempts={**execution.attempts, number: new}, early_pods=others)


def _merge_request(execution: Execution, identity: RunIdentity, part: RunRequestFact) -> Execution:
    """Take a ScheduledJobRun: whose run it is, it knows best, as the run's id is its own UID."""
    if execution.request_fact is not None and execution.request_fact.version >= part.version:
        return execution
    if not custody.is_same_run(execution.identity, identity):
        execution = Execution(identity)
    return replace(execution, request_fact=_keep_end(execution.request_fact, part))


def _keep_end(known: RunRequestFact | None, part: RunRequestFact) -> RunRequestFact:
    """Keep when it was first seen that a ScheduledJobRun is gone: by the API, then by the mirror."""
    if known is None or not (known.is_gone and part.is_gone and known.completed_at):
        return part
    return replace(part, completed_at=known.completed_at)


def _merge_status(execution: Execution, part: StatusFact) -> Execution:
    """Take what the status says; a recorded result never changes, unless the cluster was restored."""
    old = execution.status_fact
    if old is not None and (old.version >= part.version or not _may_replace(old, part)):
        return execution
    return replace(execution, status_fact=part)


def _may_replace(old: StatusFact, new: StatusFact) -> bool:
    is_same = replace(old, version=new.version) == new
    return not is_same and (not old.result or new.version.epoch > old.version.epoch)


def _merge_job(old: AttemptState, part: JobFact) -> AttemptState:
    if old.job is not None and old.job.version >= part.version:
        return old
    is_other = old.pod is not None and old.pod.job_uid not in ("", part.uid)
    return replace(old, job=part, pod=None if is_other else old.pod)


def _merge_pod(old: AttemptState, part: PodFact) -> AttemptState:
    """Take a Pod of the Job; of several the one that failed is shown, else the one that got furthest."""
    known = old.pod
    if old.job is not None and part.job_uid != old.job.uid:
        return old
    if known is not None and known.uid == part.uid:
        return old if known.version >= part.version else replace(old, pod=part)
    if known is not None and (known.rank, part.uid) >= (part.rank, known.uid):
        return old
    return replace(old, pod=part)
