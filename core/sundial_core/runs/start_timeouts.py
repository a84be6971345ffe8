"""Whether an attempt starts in time, and what kept it from starting.

The rules: docs/semantics.md, "Attempts that cannot start". Where the Pod itself is refused, the Job's status
says nothing: only its events tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from sundial_core.resources.messages import clean_message
from sundial_core.resources.phases import Phase
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import Reason
from sundial_core.runs.early_ends import Termination, with_termination
from sundial_core.runs.jobs import ObservedJob
from sundial_core.runs.pods import USUAL_WAITS, ObservedPod
from sundial_core.runs.run import Run
from sundial_core.runs.state import build_run

NOT_STARTED = "no container started in time"
_MISSING_RUNNER = re.compile(r'configmap "(sundial-runner-[0-9a-f]{10})" not found')


def list_late_starts(
    known: Mapping[str, Run],
    active: Iterable[ObservedJob],
    pods: Mapping[str, tuple[ObservedPod, ...]],
    now: datetime,
) -> list[Termination]:
    """Find the attempts that have not started in time; without a message where there is no Pod to tell."""
    return [
        Termination(job, Reason.START_TIMEOUT, describe_wait(pods.get(job.uid, ())))
        for job in active
        if (start_by := known[job.run_id].start_by) is not None and start_by <= now and not job.ended
    ]


def describe_wait(pods: tuple[ObservedPod, ...]) -> str:
    """Say what Pods wait for, in their own words; empty without Pods."""
    waits = [pod.wait for pod in pods if pod.wait is not None]
    if waits:
        reason, message = waits[0]
        return clean_message(f"{reason}: {message}" if message else reason)
    return NOT_STARTED if pods else ""


def explain_refusal(events: Iterable[JsonObject]) -> str:
    """Find in a Job's events why its Pods were refused: the newest FailedCreate."""
    refused = [event for event in events if event.get("reason") == "FailedCreate"]
    if not refused:
        return NOT_STARTED
    newest = max(refused, key=_last_seen)
    return clean_message(f"FailedCreate: {newest.get('message', '')}")


def find_silent(pods: tuple[ObservedPod, ...]) -> ObservedPod | None:
    """Find a Pod that says no more than that its containers are created: only its events tell why not."""
    return next((pod for pod in pods if pod.wait is not None and pod.wait[0] in USUAL_WAITS), None)


def explain_wait(pod: ObservedPod, events: Iterable[JsonObject]) -> str:
    """Find in the events of a silent Pod what it waits for: the newest warning; empty without one."""
    warnings = [event for event in events if event.get("type") == "Warning"]
    if not warnings:
        return ""
    newest = max(warnings, key=_last_seen)
    said = str(newest.get("message", ""))
    missing = _MISSING_RUNNER.search(said)
    if missing is not None:
        return (
            f"the ConfigMap {missing[1]}, which has the runner, is missing: permit the operator to create"
            f" configmaps in {pod.ns}, or apply what `sundial-operator runner-manifest -n {pod.ns}` prints"
        )
    return clean_message(f"{newest.get('reason', '')}: {said}")


def read_run(job: ObservedJob, pods: tuple[ObservedPod, ...], now: datetime) -> Run:
    """Read a run from its newest attempt, with what ended that early or kept it from starting."""
    return job.recall_run(
        pods, lambda: with_termination(with_start_failure(build_run(job, pods, now), job, pods), job)
    )


def with_start_failure(run: Run, job: ObservedJob, pods: tuple[ObservedPod, ...]) -> Run:
    """Describe an attempt whose deadline passed before any container started."""
    if run.phase is not Phase.TIMED_OUT or job.ended or any(pod.has_started for pod in pods):
        return run
    if not pods and job.had_pods:
        return run
    message = describe_wait(pods) or NOT_STARTED
    return replace(run, phase=Phase.FAILED, reason=Reason.START_FAILED.value, message=message)


def _last_seen(event: JsonObject) -> str:
    times = (event.get("lastTimestamp"), event.get("eventTime"), event.get("firstTimestamp"))
    return next((str(time) for time in times if time), "")
