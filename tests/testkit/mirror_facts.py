"""What the mirror reads, as tests write it down: Pods, ScheduledJobRuns and what becomes of them."""

from __future__ import annotations

from typing import Any

import orjson
from testkit.scheduled_jobs import (
    UID,
    at,
    build_item,
    build_job_item,
)

from sundial_api.mirror.projection.executions import (
    Execution,
    ExecutionStanding,
    RunOutcome,
    settle,
)
from sundial_api.mirror.projection.merging import merge
from sundial_api.mirror.projection.run_facts import (
    RunFact,
    parse_job_fact,
    parse_pod_fact,
    parse_run_request_fact,
    parse_status_fact,
)
from sundial_api.mirror.projection.scheduled_jobs import ScheduleFact, read_schedule
from sundial_api.mirror.projection.versions import Version
from sundial_clock.instants import format_instant
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject

RUN_ID = names.build_run_id(UID, at(10))
ASKED_ID = "3f6d9b0e-8a51-4c7e-b1a7-2f1f5a0c9d11"
INSTANCE = "11111111-2222-4333-8444-555555555555"


def build_pod_item(job: JsonObject, *, version: int = 30, name: str = "pod-a", **state: Any) -> JsonObject:
    """Build the Pod of a Job; `state` is that of its only container, e.g. running={...}."""
    metadata = job["metadata"]
    return {
        "metadata": {
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            "namespace": "team",
            "name": name,
            "labels": metadata["labels"] | {names.SCHEDULED_JOB_UID: UID},
            "annotations": metadata["annotations"],
            "ownerReferences": [{"controller": True, "uid": metadata["uid"]}],
        },
        "spec": {"nodeName": "node-1"},
        "status": {"containerStatuses": [{"name": "main", "state": state}]} if state else {},
    }


def build_termination(code: int, said: Any = None, **more: Any) -> JsonObject:
    """Build the state of a container that ended; `said` is its termination message."""
    message = said if said is None or isinstance(said, str) else orjson.dumps(said).decode()
    times = {"startedAt": format_instant(at(11)), "finishedAt": format_instant(at(14))}
    reason = "Completed" if code == 0 else "Error"
    return {"exitCode": code, "reason": reason, "message": message, **times, **more}


def build_run_item(status: JsonObject | None = None, *, version: int = 15, **spec: Any) -> JsonObject:
    """Build a ScheduledJobRun."""
    return {
        "metadata": {
            "uid": ASKED_ID,
            "resourceVersion": str(version),
            "namespace": "team",
            "name": "by-hand",
            "creationTimestamp": format_instant(at(8)),
            "annotations": {"sundial.dev/created-by": INSTANCE},
        },
        "spec": {"scheduledJobName": "tick", "source": "manual"} | spec,
        "status": {"scheduledJobUid": UID} | (status or {}),
    }


def job_fact(condition: str = "", epoch: int = 1, **how: Any) -> RunFact:
    """Build what the Job of an attempt of the slot at 10 s says."""
    return parse_job_fact(build_job_item(10, condition, **how), epoch)


def pod_fact(version: int = 30, name: str = "pod-a", attempt: int = 1, **state: Any) -> RunFact:
    """Build what a Pod of an attempt of the slot at 10 s says."""
    return parse_pod_fact(
        build_pod_item(build_job_item(10, attempt=attempt), version=version, name=name, **state), 1
    )


def told_fact(result: str = "", version: int = 40, epoch: int = 1, **entry: Any) -> RunFact:
    """Build what the status of the schedule tells of the run of the slot at 10 s."""
    slot = format_instant(at(10))
    said: JsonObject = {"slot": slot, "verdict": "Started", "runId": RUN_ID, "startedAt": slot, **entry}
    if result:
        said |= {"result": result, "completedAt": format_instant(at(15))}
    return parse_status_fact(said, UID, "team", Version(epoch, version))


def asked_fact(**status: Any) -> RunFact:
    """Build what a ScheduledJobRun says."""
    version = status.pop("version", 15)
    return parse_run_request_fact(build_run_item(status, version=version), 1)


def build_schedule_item(
    version: int = 10, uid: str = UID, name: str = "tick", function: str = "", **how: Any
) -> JsonObject:
    """Build a ScheduledJob; `spec_x` sets x in its spec, `function` the TaskFunction that it names."""
    fields = {key.removeprefix("spec_"): how.pop(key) for key in list(how) if key.startswith("spec_")}
    item = build_item(**how)
    item["metadata"] |= {"uid": uid, "name": name, "resourceVersion": str(version)}
    item["spec"] = item["spec"] | fields
    if function:
        item["spec"] = item["spec"] | {"taskFunctionRef": {"name": function}, "template": None}
    return item


def build_schedule(status: JsonObject | None = None, version: int = 10, **how: Any) -> ScheduleFact:
    """Build a ScheduledJob as the mirror sees it."""
    item = build_item(status=status, **how)
    item["metadata"]["resourceVersion"] = str(version)
    return read_schedule(item, 1)


def stand(cursor: float | None = None, *active: str, version: int = 40, **how: Any) -> ExecutionStanding:
    """Build what a schedule says of its runs; it tells of all slots after 10 s."""
    how = {"horizon": format_instant(at(11))} | how
    return ExecutionStanding(
        Version(1, version),
        format_instant(at(cursor)) if cursor is not None else None,
        frozenset(active),
        **how,
    )


def tell(*facts: RunFact) -> Execution:
    """Merge facts in the order in which they came."""
    execution = None
    for fact in facts:
        execution = merge(execution, fact)
    assert execution is not None
    return execution


def settle_facts(facts: list[RunFact], standing: ExecutionStanding) -> RunOutcome:
    """Settle what becomes of a run."""
    return settle(tell(*facts), standing)
