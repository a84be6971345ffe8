"""The status of a ScheduledJobRun, built from the stored one and from what became of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sundial_clock.instants import format_instant, parse_instant
from sundial_core.resources.messages import trim_message
from sundial_core.resources.objects import ScheduledJobRun
from sundial_core.resources.phases import Phase, Verdict
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import ConditionType, Reason
from sundial_core.runs.run import Run
from sundial_core.status.conditions import Condition, build_conditions


@dataclass(frozen=True, slots=True)
class RunRequestOutcome:
    """What is to be said of a ScheduledJobRun.

    Without a verdict it waits, without a result it is waiting or active. `until` is when waiting has to be
    decided again. What is None or empty here stays as it was said before.
    """

    verdict: Verdict | None
    result: Phase | None
    reason: str
    message: str
    parent_uid: str = ""
    job_name: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    until: datetime | None = None


def describe_run(run: Run, parent_uid: str) -> RunRequestOutcome:
    """Describe a run that started as its newest attempt shows it."""
    return RunRequestOutcome(
        verdict=Verdict.STARTED,
        result=run.phase if run.phase.is_result else None,
        reason=run.reason if run.phase.is_result else "",
        message=run.message if run.phase.is_result else "",
        parent_uid=parent_uid,
        job_name=run.job_name,
        started_at=run.started_at,
        completed_at=run.completed_at,
    )


def describe_entry(entry: Mapping[str, str], status: JsonObject) -> RunRequestOutcome:
    """Describe a run that ended, from its entry in the schedule's status."""
    completed_at = entry.get("completedAt")
    return RunRequestOutcome(
        verdict=Verdict.STARTED,
        result=Phase(entry["result"]),
        reason=entry.get("reason", ""),
        message=entry.get("message", ""),
        job_name=status.get("jobName", ""),
        started_at=parse_instant(entry["startedAt"]) if "startedAt" in entry else None,
        completed_at=parse_instant(completed_at) if completed_at else None,
    )


def describe_waiting(reason: Reason) -> RunRequestOutcome:
    """Describe a request that waits for a place; the reasons are those of waiting slots."""
    if reason is Reason.REPLACING:
        return RunRequestOutcome(None, None, Reason.REPLACING, "waits until the run that it replaces is gone")
    return RunRequestOutcome(
        None, None, Reason.QUEUED, "waits for a place; delete it if it is not to run any more"
    )


def is_waiting(status: JsonObject) -> bool:
    """Tell whether a status says that one waits for a place."""
    return "verdict" not in status and status.get("reason") in (Reason.QUEUED, Reason.REPLACING)


def is_complete(status: JsonObject) -> bool:
    """Tell whether a status says that the request is complete."""
    return find_completion(status) is not None


def find_completion(status: JsonObject) -> datetime | None:
    """Find since when a status says that all is over."""
    for condition in status.get("conditions") or ():
        if condition["type"] == ConditionType.COMPLETE and condition["status"] == "True":
            return parse_instant(condition["lastTransitionTime"])
    return None


def build_status(request: ScheduledJobRun, fate: RunRequestOutcome, now: datetime) -> JsonObject:
    """Build the whole status; fields without a value are left out."""
    old = request.status
    conditions = {condition["type"]: condition for condition in old.get("conditions") or ()}
    decided_slots = (_started_condition(fate), _complete_condition(fate))
    has_started = fate.verdict is Verdict.STARTED
    status: JsonObject = {
        "observedGeneration": request.generation,
        "conditions": build_conditions(decided_slots, conditions, request.generation, now),
        "scheduledJobUid": old.get("scheduledJobUid") or fate.parent_uid,
        "runId": request.uid if has_started else None,
        "jobName": fate.job_name or old.get("jobName"),
        "verdict": fate.verdict,
        "result": fate.result,
        "reason": fate.reason,
        "message": trim_message(fate.message),
        "startedAt": old.get("startedAt") or _format(fate.started_at),
        "completedAt": _format(fate.completed_at or now.replace(microsecond=0)) if fate.result else None,
    }
    return {name: _plain(value) for name, value in status.items() if value not in (None, "")}


def _started_condition(fate: RunRequestOutcome) -> Condition:
    if fate.verdict is Verdict.STARTED:
        return Condition(ConditionType.STARTED, True, Reason.STARTED, "its first Job was created")
    return Condition(ConditionType.STARTED, False, Reason(fate.reason), fate.message)


def _complete_condition(fate: RunRequestOutcome) -> Condition:
    kind = ConditionType.COMPLETE
    if fate.verdict is not Verdict.STARTED:
        return Condition(kind, fate.result is not None, Reason(fate.reason), fate.message)
    if fate.result is None:
        return Condition(kind, False, Reason.RUNS_ACTIVE, "the run is active")
    return Condition(kind, True, Reason(fate.result.value), f"the run ended as {fate.result}")


def _format(instant: datetime | None) -> str | None:
    return format_instant(instant) if instant else None


def _plain(value: object) -> object:
    """Turn a member of an enum into its text."""
    return str(value) if isinstance(value, str) else value
