"""A ScheduledJob's spec made ready to act on, or the problem that keeps it from being acted on."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import orjson
from pydantic import ValidationError

from sundial_clock.schedule import CompiledSchedule, ScheduleError, compile_schedule
from sundial_core.resources.nesting import MAX_LEVELS, is_nested_deeper
from sundial_core.resources.objects import ScheduledJob, TaskFunction
from sundial_core.resources.parameters.checks import describe_misfits, prepare_parameters
from sundial_core.resources.parameters.misfits import Misfit
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import Reason
from sundial_core.resources.runner_templates import find_excess, find_obstacle
from sundial_core.resources.specs import Handler, HandlerOnly, ScheduledJobSpec

DEFAULT_TIMEOUT_SECONDS = 300
MAX_ARGS_BYTES = 64 * 1024
PERIOD_SAMPLE = 60
"""How many slots are looked at to find the shortest period of a schedule."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A valid spec: when to run, what to run."""

    spec: ScheduledJobSpec
    schedule: CompiledSchedule
    schedule_hash: str
    template: JsonObject
    """As its user wrote it."""
    timeout_seconds: int
    handler: Handler | None = None
    """How the TaskFunction is run; None where the ScheduledJob has its own template."""
    parameters_schema: JsonObject | None = None
    """What arguments have to fit: the TaskFunction's."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a ScheduledJob cannot run: the reason and message of Ready=False."""

    reason: Reason
    message: str
    schedule_hash: str = ""

    @property
    def may_pass(self) -> bool:
        """Whether all that is wrong is that something is missing: it may still come."""
        return self.reason is Reason.TASK_FUNCTION_NOT_FOUND


def compile_plan(
    job: ScheduledJob, function: TaskFunction | None, minimum_period: timedelta
) -> Plan | Problem:
    """Check a spec as a whole; `function` is the TaskFunction that it names, if that exists."""
    schedule_hash = hash_schedule(job.spec)
    problem = check_nesting(job.spec)
    if problem is not None:
        return replace(problem, schedule_hash=schedule_hash)
    try:
        spec = ScheduledJobSpec.model_validate(job.spec)
        schedule = compile_schedule(
            spec.schedule.to_schedule(), name=f"{job.ns}/{job.name}", created_at=job.created_at
        )
    except ValidationError as error:
        return Problem(Reason.INVALID_SPEC, describe_validation_error(error), schedule_hash)
    except ScheduleError as error:
        return Problem(Reason.INVALID_SCHEDULE, f"spec.{error.field}: {error}", schedule_hash)
    work = _choose_work(spec, function)
    if isinstance(work, Problem):
        return replace(work, schedule_hash=schedule_hash)
    schema = function.spec.get("parametersSchema") if function and spec.task_function_ref else None
    problem = (
        check_args(spec.args)
        or check_fit(spec.args, schema)
        or _check_start(spec, work.timeout_seconds)
        or _check_period(job, schedule, minimum_period)
    )
    if problem is not None:
        return replace(problem, schedule_hash=schedule_hash)
    return Plan(spec, schedule, schedule_hash, work.template, work.timeout_seconds, work.handler, schema)


def hash_schedule(spec: Mapping[str, Any]) -> str:
    """Hash what decides which slots there are: schedule, zone, clock-change policy and window."""
    canonical = orjson.dumps(spec.get("schedule"), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()[:16]


def describe_validation_error(error: ValidationError) -> str:
    """Say where a spec is wrong, by the field's path, without repeating its value."""
    return "; ".join(
        f"spec.{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()[:5]
    )


def read_handler(function: TaskFunction) -> Handler | Problem:
    """Read how a TaskFunction is run, or why it cannot be."""
    if (problem := check_nesting(function.spec)) is not None:
        return problem
    try:
        handler = HandlerOnly.model_validate({"handler": function.spec.get("handler")}).handler
    except ValidationError as error:
        return Problem(Reason.INVALID_SPEC, describe_validation_error(error))
    if not handler.needs_runner and handler.container is None:
        said = "spec.handler: exactly one of celery, function and container must be set"
        return Problem(Reason.INVALID_SPEC, said)
    template = function.spec.get("template")
    if not isinstance(template, dict):
        said = "spec.template: is required; it has the containers to run, or the image with the code"
        return Problem(Reason.TEMPLATE_MISSING, said)
    said = find_excess(template) or (find_obstacle(template) if handler.needs_runner else "")
    return Problem(Reason.TEMPLATE_INVALID, said) if said else handler


@dataclass(frozen=True, slots=True)
class _Work:
    """What is run: the template of the ScheduledJob or of its TaskFunction."""

    template: JsonObject
    timeout_seconds: int
    handler: Handler | None = None


def _choose_work(spec: ScheduledJobSpec, function: TaskFunction | None) -> _Work | Problem:
    if spec.task_function_ref is None:
        if spec.template is None:
            return Problem(Reason.INVALID_SPEC, "spec: set taskFunctionRef or template")
        if said := find_excess(spec.template):
            return Problem(Reason.TEMPLATE_INVALID, said)
        return _Work(spec.template, spec.timeout_seconds or DEFAULT_TIMEOUT_SECONDS)
    name = spec.task_function_ref.name
    if function is None:
        return Problem(
            Reason.TASK_FUNCTION_NOT_FOUND,
            f"spec.taskFunctionRef.name: there is no TaskFunction {name} in this namespace;"
            f" create it, or name another (kubectl get taskfunctions)",
        )
    handler = read_handler(function)
    if isinstance(handler, Problem):
        return replace(handler, message=f"TaskFunction {name}: {handler.message}")
    if (problem := check_schema(function.spec)) is not None:
        return replace(problem, message=f"TaskFunction {name}: {problem.message}")
    timeout = spec.timeout_seconds or function.spec.get("defaultTimeoutSeconds") or DEFAULT_TIMEOUT_SECONDS
    return _Work(function.spec["template"], int(timeout), handler)


def check_nesting(spec: Mapping[str, Any]) -> Problem | None:
    """Find out whether a field of a spec is nested deeper than a Job could carry on."""
    deep = [name for name, value in spec.items() if is_nested_deeper(value, MAX_LEVELS)]
    if not deep:
        return None
    return Problem(
        Reason.INVALID_SPEC,
        f"spec.{deep[0]}: nested more than {MAX_LEVELS} levels deep: pass it as text, or name where it lies",
    )


def check_args(args: JsonObject | None) -> Problem | None:
    """Find out whether args are too large to be passed in the environment."""
    size = len(orjson.dumps(args)) if args else 0
    if size <= MAX_ARGS_BYTES:
        return None
    return Problem(
        Reason.ARGS_TOO_LARGE,
        f"spec.args: {size} bytes of JSON; at most {MAX_ARGS_BYTES} are allowed:"
        " pass large data by a ConfigMap or an object store and name it in args",
    )


def check_fit(args: JsonObject | None, schema: JsonObject | None) -> Problem | None:
    """Find out whether args do not fit a schema; without one, or with one that cannot be used, all do."""
    parameters = prepare_parameters(schema) if schema is not None else None
    if parameters is None or isinstance(parameters, Misfit):
        return None
    misfits = parameters.find_misfits(args)
    return Problem(Reason.INVALID_ARGS, describe_misfits(misfits)) if misfits else None


def check_schema(spec: Mapping[str, Any]) -> Problem | None:
    """Find out whether the parametersSchema of a TaskFunction cannot be used."""
    schema = spec.get("parametersSchema")
    found = prepare_parameters(schema) if schema is not None else None
    if not isinstance(found, Misfit):
        return None
    return Problem(Reason.INVALID_PARAMETERS_SCHEMA, found.describe("spec.parametersSchema"))


def _check_start(spec: ScheduledJobSpec, timeout_seconds: int) -> Problem | None:
    """Check what the API server cannot where the timeout is the TaskFunction's."""
    if spec.start_timeout_seconds is None or spec.start_timeout_seconds < timeout_seconds:
        return None
    return Problem(
        Reason.INVALID_SPEC, f"spec.startTimeoutSeconds: must be less than the timeout, {timeout_seconds} s"
    )


def _check_period(job: ScheduledJob, schedule: CompiledSchedule, minimum: timedelta) -> Problem | None:
    if minimum <= timedelta(seconds=1):
        return None
    slots = schedule.slots_after(job.created_at, PERIOD_SAMPLE)
    shortest = min((b - a for a, b in itertools.pairwise(slots)), default=None)
    if shortest is None or shortest >= minimum:
        return None
    return Problem(
        Reason.TOO_FREQUENT,
        f"spec.schedule: slots are {shortest.total_seconds():g} s apart; this installation allows one every"
        f" {minimum.total_seconds():g} s at most",
    )
