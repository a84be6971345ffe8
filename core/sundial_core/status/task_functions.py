"""What the status of a TaskFunction says: whether jobs can run it, and which do."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sundial_core.resources.objects import TaskFunction
from sundial_core.resources.plans import Problem, check_schema, read_handler
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import ConditionType, Reason
from sundial_core.status.conditions import Condition, build_conditions

SHOWN_USERS = 10


@dataclass(frozen=True, slots=True)
class DeliveredRunner:
    """The runner in a namespace: its ConfigMap, and why that cannot be created where it cannot."""

    name: str
    refusal: str = ""


def read_api_name(function: TaskFunction) -> str:
    """Read the name under which the API knows a TaskFunction: spec.name, else its own."""
    return str(function.spec.get("name") or function.name)


def find_elder(function: TaskFunction, namesakes: Iterable[TaskFunction]) -> TaskFunction | None:
    """Find the TaskFunction that has the same name in the API and keeps it: the oldest one."""
    oldest = min([function, *namesakes], key=_age)
    return oldest if oldest.uid != function.uid else None


def needs_runner(function: TaskFunction) -> bool:
    """Tell whether the Jobs of a TaskFunction need the runner."""
    handler = read_handler(function)
    return not isinstance(handler, Problem) and handler.needs_runner


def build_function_status(
    function: TaskFunction,
    elder: TaskFunction | None,
    users: Collection[str],
    runner: DeliveredRunner | None,
    now: datetime,
    invalid_args: int = 0,
) -> JsonObject:
    """Build the status of a TaskFunction; `users` are the names of the ScheduledJobs that refer to it.

    `runner` is the one of its namespace, None for a function that needs none. Of `invalid_args` of its users
    the arguments do not fit.
    """
    stored = {condition["type"]: condition for condition in function.status.get("conditions") or ()}
    ready = _build_ready(function, elder, runner)
    named = {"runner": runner.name} if runner is not None else {}
    return {
        "observedGeneration": function.generation,
        "conditions": build_conditions([ready], stored, function.generation, now),
        "usedBy": {"count": len(users), "names": sorted(users)[:SHOWN_USERS]},
        "invalidArgs": invalid_args,
    } | named


def _build_ready(
    function: TaskFunction, elder: TaskFunction | None, runner: DeliveredRunner | None
) -> Condition:
    kind = ConditionType.READY
    handler = read_handler(function)
    if isinstance(handler, Problem):
        return Condition(kind, False, handler.reason, handler.message)
    if (problem := check_schema(function.spec)) is not None:
        return Condition(kind, False, problem.reason, problem.message)
    if elder is not None:
        message = (
            f"spec.name: the TaskFunction {elder.name} has the name {read_api_name(function)} already; choose"
            " another one. Jobs that refer to this object by metadata.name run as ever"
        )
        return Condition(kind, False, Reason.DUPLICATE_NAME, message)
    if runner is not None and runner.refusal:
        message = (
            f"the ConfigMap {runner.name} cannot be created in this namespace: {runner.refusal}. Permit the"
            " operator to create configmaps here, or apply what this prints:"
            f" sundial-operator runner-manifest -n {function.ns}. Runs wait for it until they have to start"
        )
        return Condition(kind, False, Reason.RUNNER_MISSING, message)
    return Condition(kind, True, Reason.ACCEPTED, "jobs can run it")


def _age(function: TaskFunction) -> tuple[datetime, str]:
    return function.created_at, function.uid
