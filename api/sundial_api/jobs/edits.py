"""What would a request make of a job? What is to change is checked; raises Problem or Invalid."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from sundial_api.db.fetch import Row
from sundial_api.db.tables import INLINE_FUNCTION
from sundial_api.http.errors import HTTPProblem, Invalid, Invalids
from sundial_api.http.invalid_values import InvalidValue, describe_error
from sundial_api.http.job_fields import EMPTY_IS_NULL, JOB_FIELDS
from sundial_api.http.json_values import is_same_json
from sundial_api.http.schedule_config import (
    ConfigError,
    check_schedule,
    is_same_config,
    parse_schedule_config,
)
from sundial_api.jobs import manifests
from sundial_api.jobs.argument_checks import check_fit
from sundial_api.jobs.schemas import (
    LIMITS,
    ScheduledJobCreate,
    ScheduledJobRead,
    ScheduledJobUpdate,
)
from sundial_api.jobs.shown import ShownJob
from sundial_clock.instants import format_instant, parse_instant
from sundial_clock.schedule import HORIZON_YEARS, CompiledSchedule
from sundial_clock.sentences import Language, say
from sundial_core.resources.plans import MAX_ARGS_BYTES
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.specs import MAX_ARGS_FIELDS


def build_spec(body: ScheduledJobCreate, function: Row, zone: str, now: datetime) -> JsonObject:
    """Build the spec of a new job; raises Invalid."""
    check_namespace(body.namespace, function)
    check_function_is_offered(function)
    values = {field: getattr(body, field) for field in JOB_FIELDS} | {"time_zone": body.time_zone or zone}
    values |= {field: values[field] or None for field in EMPTY_IS_NULL}
    check_args(body.task_args)
    check_fit(body.task_args, function)
    spec: JsonObject = {"schedule": {}, "taskFunctionRef": {"name": function["resource_name"]}}
    spec = manifests.write_fields(spec, values)
    spec = manifests.write_schedule(spec, read_schedule(body.job_type_id, body.schedule_config))
    compiled = check_timing(spec, f"{function['namespace']}/{manifests.build_slug(body.name)}", now)
    check_comes(spec["schedule"], compiled, now)
    return spec if body.is_enabled else spec | {"suspend": True}


def apply_update(
    item: JsonObject, body: ScheduledJobUpdate, shown: ShownJob, wanted: Row | None, now: datetime
) -> JsonObject:
    """Build the spec that an edit makes of a job; `wanted` is the task function that the body names.

    Only what is wanted otherwise than it is shown is written. Raises Invalid, and Problem 409 where the job
    has to stay with its task function.
    """
    spec, job = item["spec"], shown.job
    if body.task_function_id not in (None, job.task_function_id):
        spec, job = _change_function(spec, shown, wanted)
    changed = list_wanted(body, job)
    _check_limits(changed)
    spec = manifests.write_fields(spec, changed)
    schedule = _find_schedule(body, job)
    if schedule is not None:
        spec = manifests.write_schedule(spec, schedule)
    if schedule is not None or "time_zone" in changed:
        metadata = item["metadata"]
        created_at = parse_instant(metadata["creationTimestamp"])
        compiled = check_timing(spec, f"{metadata['namespace']}/{metadata['name']}", created_at)
        if schedule is not None:
            check_comes(spec["schedule"], compiled, now)
    if "task_args" in changed:
        check_args(body.task_args)
    has_another = spec.get("taskFunctionRef") != item["spec"].get("taskFunctionRef")
    if "task_args" in changed or has_another:
        check_fit(spec.get("args"), wanted if has_another else shown.function)
    return spec


def list_wanted(body: ScheduledJobUpdate, job: ScheduledJobRead) -> dict[str, Any]:
    """Find the plain fields that are wanted otherwise than they are shown; None empties what may be empty."""
    given = {field: getattr(body, field) for field in JOB_FIELDS if field in body.model_fields_set}
    given |= {field: None for field in EMPTY_IS_NULL if given.get(field) == ""}
    return {
        field: value
        for field, value in given.items()
        if (value is not None or JOB_FIELDS[field].is_optional)
        and not is_same_json(value, getattr(job, field))
    }


def _change_function(
    spec: JsonObject, shown: ShownJob, wanted: Row | None
) -> tuple[JsonObject, ScheduledJobRead]:
    """Write another task function; a job without a timeout of its own then shows that one's."""
    if wanted is None:
        raise Invalid(("body", "taskFunctionId"), say("is no task function; see GET /task-functions"))
    spec = write_function(spec, shown.job.namespace, wanted)
    check_may_leave(shown.function)
    own = JOB_FIELDS["timeout_seconds"].find(spec)
    return spec, shown.job.model_copy(
        update={} if own else {"timeout_seconds": wanted["default_timeout_seconds"]}
    )


def check_may_leave(function: Row | None) -> None:
    """Check that a job may be deleted, or leave its task function; raises Problem 409."""
    if function is not None and function["is_system"]:
        raise HTTPProblem(
            409, say("{name} is a task function of the system; its jobs stay", name=function["name"])
        )


def write_function(spec: JsonObject, ns: str, function: Row) -> JsonObject:
    """Write another task function into a copy of a spec; the reserved one keeps a template."""
    if function["id"] == INLINE_FUNCTION:
        if "template" in spec:
            return spec
        raise Invalid(("body", "taskFunctionId"), say("is reserved for jobs with a template of their own"))
    name = function["resource_name"]
    if function["namespace"] == ns and (spec.get("taskFunctionRef") or {}).get("name") == name:
        return spec
    if function["namespace"] != ns:
        message = say(
            "is in namespace {namespace}; a job cannot leave its namespace {own}",
            namespace=function["namespace"],
            own=ns,
        )
        raise Invalid(("body", "taskFunctionId"), message)
    check_function_is_offered(function)
    rest = {field: value for field, value in spec.items() if field != "template"}
    return rest | {"taskFunctionRef": {"name": name}}


def check_namespace(ns: str | None, function: Row) -> None:
    """Check that a job is to live where its task function does."""
    if ns is not None and ns != function["namespace"]:
        message = say(
            "is in namespace {namespace}, and so are its jobs; leave namespace out",
            namespace=function["namespace"],
        )
        raise Invalid(("body", "taskFunctionId"), message)


def check_function_is_offered(function: Row) -> None:
    """Check that new jobs may use a task function."""
    if function["id"] == INLINE_FUNCTION or function["deleted_at"] is not None or not function["is_active"]:
        message = say("is not offered for new jobs; choose an active one of GET /task-functions")
        raise Invalid(("body", "taskFunctionId"), message)


def check_args(args: JsonObject | None) -> None:
    """Check the size of arguments; the cluster and the operator refuse larger ones too."""
    if args and len(args) > MAX_ARGS_FIELDS:
        message = say(
            "has {count} fields, and may have {limit} at most; put some into one of them",
            count=len(args),
            limit=MAX_ARGS_FIELDS,
        )
        raise Invalid(("body", "taskArgs"), message)
    if args and len(orjson.dumps(args)) > MAX_ARGS_BYTES:
        message = say("may have at most {limit} bytes; pass large data by reference", limit=MAX_ARGS_BYTES)
        raise Invalid(("body", "taskArgs"), message)


def read_schedule(job_type: int, config: JsonObject) -> JsonObject:
    """Read a scheduleConfig; raises Invalid with its key."""
    try:
        return parse_schedule_config(job_type, config)
    except ConfigError as error:
        raise _locate(error) from error


def check_timing(
    spec: JsonObject, name: str, created_at: datetime, language: Language = Language.ENGLISH
) -> CompiledSchedule:
    """Compile a schedule as the operator will; raises Invalid with the key in scheduleConfig."""
    try:
        return check_schedule(spec["schedule"], name, created_at, language)
    except ConfigError as error:
        raise _locate(error) from error


def check_comes(schedule: JsonObject, compiled: CompiledSchedule, now: datetime) -> None:
    """Check that a schedule that somebody has just asked for has a slot to come; raises Invalid."""
    if compiled.next_slot(now) is not None:
        return
    at = schedule.get("at")
    if at is not None and parse_instant(at) <= now:
        raise Invalid(
            ("body", "scheduleConfig", "at"),
            say("has passed: it is {now}; write a later instant", now=format_instant(now)),
        )
    message = say("names no instant in the next {count} years: the job would never run", count=HORIZON_YEARS)
    if "startsAt" in schedule or "endsAt" in schedule:
        message = say("{what}; the resource has startsAt or endsAt, which count too", what=message)
    raise Invalid(("body", "scheduleConfig"), message)


def _find_schedule(body: ScheduledJobUpdate, job: ScheduledJobRead) -> JsonObject | None:
    """Find the schedule that an edit asks for, if it says something else than the one that is shown."""
    wanted = job.job_type_id if body.job_type_id is None else body.job_type_id
    if body.schedule_config is None:
        if wanted != job.job_type_id:
            raise Invalid(("body", "scheduleConfig"), say("is needed with another jobTypeId"))
        return None
    if wanted == job.job_type_id and is_same_config(wanted, body.schedule_config, job.schedule_config):
        return None
    return read_schedule(wanted, body.schedule_config)


def _check_limits(changed: Mapping[str, Any]) -> None:
    errors = [error for field, value in changed.items() for error in _list_errors(field, value)]
    if errors:
        raise Invalids(errors)


def _list_errors(field: str, value: Any) -> list[InvalidValue]:
    """Find what is wrong with a value, in the form of a 422 answer."""
    if value is None:
        return []
    try:
        LIMITS[field].validate_python(value)
    except ValidationError as error:
        return [describe_error(found, ("body", to_camel(field))) for found in error.errors()]
    return []


def _locate(error: ConfigError) -> Invalid:
    if error.field == "timeZone":
        return Invalid(("body", "timeZone"), error.sentence)
    return Invalid(("body", "scheduleConfig", *([error.field] if error.field else [])), error.sentence)
