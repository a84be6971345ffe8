"""Schedules, Jobs and stored statuses as tests write them down: short, with sensible rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from testkit.field_managers import FieldManagers

from sundial_clock.instants import format_instant
from sundial_core.decision.decide import Decision, decide
from sundial_core.decision.job_deletions import Limits
from sundial_core.decision.remembered import Remembered
from sundial_core.decision.snapshot import Snapshot
from sundial_core.resources import names
from sundial_core.resources.objects import ScheduledJob, parse_scheduled_job
from sundial_core.resources.plans import Plan, Problem, compile_plan
from sundial_core.runs.jobs import ObservedJob, parse_job
from sundial_core.status.verdicts import VerdictRecord

UID = "8c5c4a5e-6f4b-4f0e-9d3c-0a1b2c3d4e5f"
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = Limits(tombstone=timedelta(seconds=600))
TEMPLATE = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox"}]}}}}
SECOND = timedelta(seconds=1)


def at(seconds: float) -> datetime:
    """Name the instant that many seconds after the schedule was created."""
    return CREATED + timedelta(seconds=seconds)


def build_spec(**fields: Any) -> dict[str, Any]:
    """Build a spec that runs every ten seconds, each run once, unless told otherwise."""
    return {
        "schedule": {"interval": {"seconds": 10}},
        "template": TEMPLATE,
        "retry": {"count": 0},
    } | fields


def build_item(
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    changed: float | None = 0,
    generation: int = 1,
    paused: str | None = None,
    **annotations: str,
) -> dict[str, Any]:
    """Build a ScheduledJob's JSON; `changed` is its managedFields time in seconds after its creation.

    `annotations` are ours without their prefix, an underscore for a hyphen.
    """
    metadata: dict[str, Any] = {
        "uid": UID,
        "resourceVersion": "10",
        "namespace": "team",
        "name": "tick",
        "generation": generation,
        "creationTimestamp": format_instant(CREATED),
    }
    metadata["annotations"] = {f"sundial.dev/{name.replace('_', '-')}": v for name, v in annotations.items()}
    if paused is not None:
        metadata["annotations"][names.PAUSED] = paused
    item = {"metadata": metadata, "spec": spec or build_spec(), "status": status or {}}
    if changed is not None:
        metadata["managedFields"] = note_writing(item, at(changed))
    return item


def note_writing(item: dict[str, Any], when: datetime) -> list[dict[str, Any]]:
    """Build the managedFields of an object that one manager has written, all of it at the same time."""
    managers = FieldManagers()
    managers.update("kubectl", {}, item, when)
    return managers.build()


def build_scheduled_job(spec: dict[str, Any] | None = None, **how: Any) -> ScheduledJob:
    """Build a ScheduledJob as the operator sees it."""
    return parse_scheduled_job(build_item(spec, **how))


def build_plan(job: ScheduledJob) -> Plan | Problem:
    """Compile a spec that names no TaskFunction."""
    return compile_plan(job, None, SECOND)


def build_job_item(
    slot: float | None,
    condition: str = "",
    reason: str = "",
    ended: float | None = None,
    **how: Any,
) -> dict[str, Any]:
    """Build the JSON of a slot's Job; `ended` is when its condition became true."""
    run_id = how.get("run_id") or names.build_run_id(UID, at(slot or 0))
    attempt, created = how.get("attempt", 1), how.get("created", slot or 0)
    name = names.build_job_name("tick", run_id, attempt)
    annotations = {names.ATTEMPT: str(attempt), names.RETRIES_USED: str(attempt - 1)} | how.get("marks", {})
    if slot is not None:
        annotations[names.SCHEDULED_FOR] = format_instant(at(slot))
    counts = how.get("counts", {"failed": 1} if "Fail" in condition else {})
    status: dict[str, Any] = {"ready": 1} if how.get("ready") else dict(counts)
    if condition:
        since = format_instant(at(created + 5 if ended is None else ended))
        true = {"status": "True", "lastTransitionTime": since, "reason": reason}
        status["conditions"] = [true | {"type": kind} for kind in condition.split("+")]
    return {
        "metadata": {
            "uid": f"uid-{name}",
            "resourceVersion": str(how.get("version", 20)),
            "namespace": "team",
            "name": name,
            "creationTimestamp": format_instant(at(created)),
            "labels": {
                names.SCHEDULED_JOB_UID: UID,
                names.RUN: run_id,
                names.TRIGGER: how.get("trigger", "schedule"),
            },
            "annotations": annotations,
            "ownerReferences": [{"controller": True, "uid": UID}],
        },
        "spec": {"activeDeadlineSeconds": how.get("timeout", 300)},
        "status": status,
    }


def build_observed(slot: float | None, condition: str = "", **how: Any) -> ObservedJob:
    """Build a slot's Job as the operator sees it."""
    return parse_job(build_job_item(slot, condition, **how))


def look(
    job: ScheduledJob, now: float, jobs: tuple[ObservedJob, ...] = (), memory: Remembered | None = None
) -> Decision:
    """Decide about a schedule `now` seconds after its creation."""
    return decide_and_tell(Snapshot(job, build_plan(job), jobs, memory or Remembered()), now)


def decide_and_tell(snapshot: Snapshot, now: float) -> Decision:
    """Decide, and where the status is told later, tell it as if the starts were being created."""
    first = decide(snapshot, at(now), LIMITS)
    if not first.is_told_later:
        return first
    creating = snapshot.memory.creating | {attempt.slot for attempt in first.starts if attempt.slot}
    memory = replace(snapshot.memory, creating=creating, decided_until=first.decided_until)
    told = decide(replace(snapshot, memory=memory), at(now), LIMITS)
    return replace(first, status=told.status, urgency=told.urgency, requeue_at=told.requeue_at)


def read_verdicts(status: dict[str, Any] | None) -> list[str]:
    """Write `recentSlots`, oldest first, in a line each: slots in seconds after the creation."""
    return [_describe_entry(entry) for entry in reversed((status or {}).get("recentSlots", []))]


def read_condition(status: dict[str, Any] | None, kind: str) -> tuple[str, str]:
    """Read a condition's status and reason."""
    found = next(c for c in (status or {})["conditions"] if c["type"] == kind)
    return found["status"], found["reason"]


def read_seconds(text: str) -> int | float:
    """Read an instant as seconds after the creation."""
    seconds = (datetime.fromisoformat(text) - CREATED).total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def _describe_entry(entry: dict[str, Any]) -> str:
    if "from" in entry:
        span = f"{read_seconds(entry['from'])}..{read_seconds(entry['to'])} x{entry['count']}"
    else:
        span = str(read_seconds(entry["slot"]))
    words = [span, entry["verdict"], entry.get("result"), entry.get("reason")]
    return " ".join(word for word in words if word)


def list_starts(decision: Decision) -> list[int | float]:
    """List the slots that a decision starts, in seconds after the creation."""
    return [read_seconds(format_instant(attempt.slot)) for attempt in decision.starts if attempt.slot]


def list_verdicts(decision: Decision) -> list[str]:
    """Write the judgements of a decision, in a line each."""
    return [describe_verdict(record) for record in decision.verdicts]


def describe_verdict(record: VerdictRecord) -> str:
    """Write a judgement like an entry of `recentSlots`, without its message."""
    first, last = (read_seconds(format_instant(slot)) for slot in (record.first, record.last))
    span = f"{first}..{last} x{record.count}" if record.count > 1 else str(first)
    return f"{span} {record.verdict} {record.reason}"


def nest(levels: int) -> Any:
    """Nest lists in each other."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value
