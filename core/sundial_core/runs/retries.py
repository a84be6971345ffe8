"""Whether a run gets another attempt, and when: derived from its newest Job alone.

The rules: docs/semantics.md, "Retries", "Disruptions" and "When a result counts". No timer and no memory: a
restart finds the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import ValidationError

from sundial_core.resources.phases import Phase
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import Reason
from sundial_core.resources.specs import Retry
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.pods import ObservedPod
from sundial_core.runs.run import Run
from sundial_core.runs.state import MAX_RELEASE_AGE, is_not_runnable

MAX_DISRUPTIONS = 3
"""How often eviction or the loss of a node is tried again without using up the count."""

POD_SEEN_WITHIN = timedelta(seconds=10)
"""How long a retry waits for the exit code of a Pod with the runner, which may say that it is the last."""

DISRUPTED = "PodFailurePolicy"
"""The Job's reason when our podFailurePolicy has seen a DisruptionTarget."""


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """The attempt that follows a failed one; `due_at` is when it starts."""

    after: ObservedJob
    number: int
    due_at: datetime
    retries_used: int
    disruptions: int


def parse_retry(spec: JsonObject) -> Retry:
    """Read the retry rule by itself: a spec that is wrong elsewhere does not end the runs under way."""
    try:
        return Retry.model_validate(spec.get("retry") or {})
    except ValidationError:
        return Retry()


def find_next_attempt(job: ObservedJob, retry: Retry, pods: Sequence[ObservedPod] = ()) -> NextAttempt | None:
    """Find what follows the newest attempt of a run; None when that attempt decides the run.

    `retry.count` 0 means one attempt, whatever happens. An attempt that somebody ended or deleted is not
    repeated, though a finalizer may keep its Job; one that could not start, or ran out of time, is. One of
    which the runner has said by its exit code that it cannot be run is not.
    """
    is_failure = job.phase in (Phase.FAILED, Phase.TIMED_OUT) and not job.is_deleting
    if not is_failure or retry.count == 0 or job.ended not in ("", Reason.START_TIMEOUT, Reason.OVERDUE):
        return None
    if job.reason == DISRUPTED and job.disruptions < MAX_DISRUPTIONS:
        return _build_next(job, retry, job.retries_used, job.disruptions + 1)
    if job.phase is Phase.FAILED and is_not_runnable(pods):
        return None
    if job.retries_used < retry.count:
        following = _build_next(job, retry, job.retries_used + 1, job.disruptions)
        return _await_pod(following, pods) if job.has_runner else following
    return None


def _await_pod(following: NextAttempt, pods: Sequence[ObservedPod]) -> NextAttempt:
    """Let the watch of Pods catch up with that of Jobs: a Pod that is gone is not waited for any longer."""
    if any(pod.runner_exit_code is not None for pod in pods):
        return following
    assert following.after.result_at is not None
    return replace(following, due_at=max(following.due_at, following.after.result_at + POD_SEEN_WITHIN))


def as_waiting(run: Run, following: NextAttempt) -> Run:
    """Describe a run between two attempts: it keeps its place."""
    return replace(
        run,
        phase=Phase.WAITING,
        reason=run.reason if run.reason == Reason.POD_UNREACHABLE else "",
        message="",
        completed_at=None,
        counts_as_active=True,
        retry_at=following.due_at,
    )


def _build_next(job: ObservedJob, retry: Retry, retries_used: int, disruptions: int) -> NextAttempt:
    """Count the delay from the Failed condition, or from five minutes after a result without one."""
    assert job.result_at is not None
    gone_at = job.released_at or job.result_at + MAX_RELEASE_AGE
    due_at = gone_at + timedelta(seconds=retry.delay_seconds)
    return NextAttempt(job, job.attempt + 1, due_at, retries_used, disruptions)
