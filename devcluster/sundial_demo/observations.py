"""What does the cluster say of the demo's schedules, runs and nodes? Read with kubectl."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sundial_demo.ground import Ground
from sundial_demo.installation import NAMESPACE

WATCHED = "scheduledjobs.sundial.dev,jobs.batch,pods"
RESULTS = ("SuccessCriteriaMet", "Complete", "FailureTarget", "Failed")
ENDED_EARLY = {"Cancelled": "Cancelled", "Replaced": "Cancelled", "StartTimeout": "Failed"}
"""What a run is that passed its deadline because it was ended early, by the mark of its Job."""
SIMULATED = "kwok.x-k8s.io/node"
JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Schedule:
    """A ScheduledJob by its status; what the operator has not written yet is empty."""

    name: str
    text: str
    active: int
    last_result: str
    next_run: datetime | None
    ready: str


@dataclass(frozen=True)
class Run:
    """A Job of a ScheduledJob; `created` and `ended` have whole seconds, `placed` has microseconds.

    `placed` is when the scheduler gave the Job's Pod to a node, by the scheduler's event; `trigger` is what
    asked for it: schedule, manual or backfill.
    """

    job: str
    schedule: str
    attempt: int
    slot: datetime
    created: datetime
    phase: str
    ended: datetime | None
    trigger: str
    node: str = ""
    placed: datetime | None = None


@dataclass(frozen=True)
class NodeCount:
    """Hold how many nodes are real, and how many only simulated by kwok."""

    real: int
    simulated: int

    @property
    def are_simulated(self) -> bool:
        """Tell whether no container runs at all."""
        return self.simulated > 0 and self.real == 0

    def __str__(self) -> str:
        real = f"{self.real} real node{'' if self.real == 1 else 's'}" if self.real else ""
        fake = f"{self.simulated} SIMULATED nodes, on which no container runs" if self.simulated else ""
        return " and ".join(filter(None, (real, fake))) or "no nodes"


class Observer:
    """Look again and again; runs that were seen stay known when their Jobs are cleaned up."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._runs: dict[str, Run] = {}
        self.schedules: list[Schedule] = []

    @property
    def runs(self) -> list[Run]:
        """Return the runs seen so far, newest first."""
        return sorted(self._runs.values(), key=lambda run: (run.slot, run.attempt), reverse=True)

    def look(self) -> None:
        """Take in what is there now; raise KubectlError when the API server does not answer."""
        found = self._list(WATCHED)
        self.schedules = [read_schedule(item) for item in found if item["kind"] == "ScheduledJob"]
        pods = {job_of(item): item for item in found if item["kind"] == "Pod"}
        jobs = [item for item in found if item["kind"] == "Job"]
        placed = self._read_placements(pods)
        seen = (try_read_run(job, pods.get(job["metadata"]["name"])) for job in jobs if is_ours(job))
        for run in (run for run in seen if run is not None):
            known = self._runs.get(run.job, run)
            self._runs[run.job] = replace(
                run, node=run.node or known.node, placed=placed.get(run.job, known.placed)
            )

    def count_nodes(self) -> NodeCount:
        """Count the cluster's nodes."""
        marks = [SIMULATED in node["metadata"].get("annotations", {}) for node in self._list("nodes")]
        return NodeCount(marks.count(False), marks.count(True))

    def _read_placements(self, pods: dict[str, JsonObject]) -> dict[str, datetime]:
        """Read the scheduler's events by Job, but only while a Pod is new: they are kept for an hour."""
        if all(job in self._runs and self._runs[job].placed for job in pods):
            return {}
        events = self._list("events.events.k8s.io", "--field-selector=reason=Scheduled")
        times = {event["regarding"]["name"]: event.get("eventTime") for event in events}
        found = {job: times.get(pod["metadata"]["name"]) for job, pod in pods.items()}
        return {job: datetime.fromisoformat(time) for job, time in found.items() if time}

    def _list(self, kinds: str, *options: str) -> list[JsonObject]:
        where = f"--namespace={NAMESPACE}"
        answer = self._ground.kubectl("get", kinds, where, "--request-timeout=5s", "-o", "json", *options)
        return list(json.loads(answer)["items"])


def is_ours(job: JsonObject) -> bool:
    """Tell whether Sundial created a Job for a slot."""
    return "sundial.dev/scheduled-for" in job["metadata"].get("annotations", {})


def job_of(pod: JsonObject) -> str:
    """Return the name of a Pod's Job, or nothing."""
    return str(pod["metadata"].get("labels", {}).get("batch.kubernetes.io/job-name", ""))


def read_schedule(item: JsonObject) -> Schedule:
    """Read a ScheduledJob."""
    status = item.get("status", {})
    conditions = {one["type"]: one for one in status.get("conditions", ())}
    next_run = status.get("nextRunTime")
    return Schedule(
        name=item["metadata"]["name"],
        text=status.get("scheduleText", ""),
        active=status.get("activeCount", 0),
        last_result=status.get("lastResult", ""),
        next_run=datetime.fromisoformat(next_run) if next_run else None,
        ready=describe_readiness(conditions.get("Ready"), conditions.get("Suspended")),
    )


def describe_readiness(ready: JsonObject | None, suspended: JsonObject | None) -> str:
    """Return the reason of Ready, and that of Suspended where it is true; nothing before there is any."""
    if ready is None:
        return ""
    held = f", {suspended['reason']}" if suspended and suspended["status"] == "True" else ""
    return f"{'' if ready['status'] == 'True' else 'not: '}{ready['reason']}{held}"


def try_read_run(job: JsonObject, pod: JsonObject | None) -> Run | None:
    """Read a Job that Sundial created; None where somebody has changed its marks."""
    try:
        return read_run(job, pod)
    except (KeyError, TypeError, ValueError):
        return None


def read_run(job: JsonObject, pod: JsonObject | None) -> Run:
    """Read a Job that Sundial created; while it has no result, its phase is that of its Pod."""
    metadata = job["metadata"]
    labels, marks = metadata["labels"], metadata["annotations"]
    phase, ended = read_result(job.get("status", {}).get("conditions", ()))
    if phase == "TimedOut":
        phase = ENDED_EARLY.get(marks.get("sundial.dev/ended", ""), phase)
    if pod is not None and ended is None:
        phase = pod["status"].get("phase", phase)
    return Run(
        job=metadata["name"],
        schedule=labels["sundial.dev/scheduled-job"],
        attempt=int(marks["sundial.dev/attempt"]),
        slot=datetime.fromisoformat(marks["sundial.dev/scheduled-for"]),
        created=datetime.fromisoformat(metadata["creationTimestamp"]),
        phase=phase,
        ended=ended,
        trigger=labels["sundial.dev/trigger"],
        node=pod["spec"].get("nodeName", "") if pod else "",
    )


def read_result(conditions: Iterable[JsonObject]) -> tuple[str, datetime | None]:
    """Return a Job's phase and end; FailureTarget and SuccessCriteriaMet come first and tell the result."""
    true = {one["type"]: one for one in conditions if one["status"] == "True"}
    for kind in (kind for kind in RESULTS if kind in true):
        failure = "TimedOut" if true[kind].get("reason") == "DeadlineExceeded" else "Failed"
        at = datetime.fromisoformat(true[kind]["lastTransitionTime"])
        return failure if kind.startswith("Fail") else "Succeeded", at
    return "Pending", None
