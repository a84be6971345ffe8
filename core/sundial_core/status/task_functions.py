"""What the status of a TaskFunction says: whether jobs can run it, and which do."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sundial_core.resources.objects import TaskFunction
from sundial_core.resources.plans import can_run, check_nesting
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import ConditionType, Reason
from sundial_core.status.conditions import Condition, build_conditions

SHOWN_USERS = 10


def read_api_name(function: TaskFunction) -> str:
    """Read the name under which the API knows a TaskFunction: spec.name, else its own."""
    return str(function.spec.get("name") or function.name)


def find_elder(function: TaskFunction, namesakes: Iterable[TaskFunction]) -> TaskFunction | None:
    """Find the TaskFunction that has the same name in the API and keeps it: the oldest one."""
    oldest = min([function, *namesakes], key=_age)
    return oldest if oldest.uid != function.uid else None


def build_function_status(
    function: TaskFunction, elder: TaskFunction | None, users: Collection[str], now: datetime
) -> JsonObject:
    """Build the status of a TaskFunction; `users` are the names of the ScheduledJobs that refer to it."""
    stored = {condition["type"]: condition for condition in function.status.get("conditions") or ()}
    return {
        "observedGeneration": function.generation,
        "conditions": build_conditions([_build_ready(function, elder)], stored, function.generation, now),
        "usedBy": {"count": len(users), "names": sorted(users)[:SHOWN_USERS]},
    }


def _build_ready(function: TaskFunction, elder: TaskFunction | None) -> Condition:
    kind = ConditionType.READY
    if not can_run(function):
        message = "spec.handler: this release does not run it; use handler.container with a template"
        return Condition(kind, False, Reason.UNSUPPORTED_HANDLER, message)
    if (problem := check_nesting(function.spec)) is not None:
        return Condition(kind, False, problem.reason, problem.message)
    if elder is not None:
        message = (
            f"spec.name: the TaskFunction {elder.name} has the name {read_api_name(function)} already; choose"
            " another one. Jobs that refer to this object by metadata.name run as ever"
        )
        return Condition(kind, False, Reason.DUPLICATE_NAME, message)
    return Condition(kind, True, Reason.ACCEPTED, "jobs can run it")


def _age(function: TaskFunction) -> tuple[datetime, str]:
    return function.created_at, function.uid
