"""What would a request make of a job? Checks of values against the stored ones; raises Problem or Invalid."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from sqlalchemy import RowMapping

from sundial_api.db.tables import INLINE_FUNCTION
from sundial_api.http.errors import Invalid, Invalids
from sundial_api.http.job_fields import JOB_FIELDS
from sundial_api.http.schedule_config import (
    ConfigError,
    check_schedule,
    parse_schedule_config,
    show_schedule_config,
)
from sundial_api.jobs import manifests
from sundial_api.jobs.schemas import LIMITS, ScheduledJobCreate, ScheduledJobUpdate
from sundial_clock.schedule import CompiledSchedule
from sundial_core.resources.plans import MAX_ARGS_BYTES
from sundial_core.resources.raw import JsonObject


def build_spec(body: ScheduledJobCreate, function: RowMapping, zone: str, now: datetime) -> JsonObject:
    """Build the spec of a new job; raises Invalid."""
    check_namespace(body.namespace, function)
    check_function_is_offered(function)
    values = {field: getattr(body, field) for field in JOB_FIELDS} | {"time_zone": body.time_zone or zone}
    check_args(body.task_args)
    spec: JsonObject = {"schedule": {}, "taskFunctionRef": {"name": function["resource_name"]}}
    spec = manifests.write_fields(spec, values)
    spec = manifests.write_schedule(spec, read_schedule(body.job_type_id, body.schedule_config))
    check_timing(spec, f"{function['namespace']}/{manifests.build_slug(body.name)}", now)
    return spec if body.is_enabled else spec | {"suspend": True}


def apply_update(item: JsonObject, body: ScheduledJobUpdate, now: datetime) -> JsonObject:
    """Build the spec that an edit makes of a job, all but its task function; raises Invalid."""
    spec: JsonObject = item["spec"]
    changed = _list_changed(item, body)
    _check_limits(changed)
    spec = manifests.write_fields(spec, changed)
    schedule = _find_schedule(item["spec"]["schedule"], body)
    if schedule is not None:
        spec = manifests.write_schedule(spec, schedule)
    if schedule is not None or "time_zone" in changed:
        metadata = item["metadata"]
        check_timing(spec, f"{metadata['namespace']}/{metadata['name']}", now)
    if "task_args" in changed:
        check_args(body.task_args)
    return spec


def write_function(spec: JsonObject, ns: str, function: RowMapping) -> JsonObject:
    """Write another task function into a copy of a spec; the reserved one keeps a template."""
    if function["id"] == INLINE_FUNCTION:
        if "template" in spec:
            return spec
        raise Invalid(("body", "taskFunctionId"), "is reserved for jobs with a template of their own")
    name = function["resource_name"]
    if function["namespace"] == ns and (spec.get("taskFunctionRef") or {}).get("name") == name:
        return spec
    if function["namespace"] != ns:
        message = f"is in namespace {function['namespace']}; a job cannot leave its namespace {ns}"
        raise Invalid(("body", "taskFunctionId"), message)
    check_function_is_offered(function)
    rest = {field: value for field, value in spec.items() if field != "template"}
    return rest | {"taskFunctionRef": {"name": name}}


def check_namespace(ns: str | None, function: RowMapping) -> None:
    """Check that a job is to live where its task function does."""
    if ns is not None and ns != function["namespace"]:
        message = f"is in namespace {function['namespace']}, and so are its jobs; leave namespace out"
        raise Invalid(("body", "taskFunctionId"), message)


def check_function_is_offered(function: RowMapping) -> None:
    """Check that new jobs may use a task function."""
    if function["id"] == INLINE_FUNCTION or function["deleted_at"] is not None or not function["is_active"]:
        message = "is not offered for new jobs; choose an active one of GET /task-functions"
        raise Invalid(("body", "taskFunctionId"), message)


def check_args(args: JsonObject | None) -> None:
    """Check the size of arguments; the operator refuses larger ones too."""
    if args and len(orjson.dumps(args)) > MAX_ARGS_BYTES:
        message = f"may have at most {MAX_ARGS_BYTES} bytes; pass large data by reference"
        raise Invalid(("body", "taskArgs"), message)


def read_schedule(job_type: int, config: JsonObject) -> JsonObject:
    """Read a scheduleConfig; raises Invalid with its key."""
    try:
        return parse_schedule_config(job_type, config)
    except ConfigError as error:
        raise _locate(error) from error


def check_timing(spec: JsonObject, name: str, now: datetime) -> CompiledSchedule:
    """Compile a schedule as the operator will; raises Invalid with the key in scheduleConfig."""
    try:
        return check_schedule(spec["schedule"], name, now)
    except ConfigError as error:
        raise _locate(error) from error


def _list_changed(item: JsonObject, body: ScheduledJobUpdate) -> dict[str, Any]:
    """Find the plain fields that differ from the stored ones; null empties what may be empty."""
    given = {field: getattr(body, field) for field in JOB_FIELDS if field in body.model_fields_set}
    name = item["metadata"]["name"]
    return {
        field: value
        for field, value in given.items()
        if (value is not None or JOB_FIELDS[field].is_optional)
        and value != (JOB_FIELDS[field].read(item["spec"]) or (name if field == "name" else None))
    }


def _find_schedule(schedule: JsonObject, body: ScheduledJobUpdate) -> JsonObject | None:
    """Find the schedule that an edit asks for, if it differs from the stored one."""
    try:
        kind, shown = show_schedule_config(schedule)
    except ConfigError:
        kind, shown = None, None
    wanted = body.job_type_id if body.job_type_id is not None else kind
    if body.schedule_config is None:
        if wanted != kind:
            raise Invalid(("body", "scheduleConfig"), "is needed with another jobTypeId")
        return None
    if wanted is None:
        raise Invalid(("body", "jobTypeId"), "is needed with scheduleConfig")
    if (wanted, body.schedule_config) == (kind, shown):
        return None
    return read_schedule(wanted, body.schedule_config)


def _check_limits(changed: Mapping[str, Any]) -> None:
    errors = [error for field, value in changed.items() for error in _list_errors(field, value)]
    if errors:
        raise Invalids(errors)


def _list_errors(field: str, value: Any) -> list[dict[str, Any]]:
    """Find what is wrong with a value, in the form of a 422 answer."""
    if value is None:
        return []
    try:
        LIMITS[field].validate_python(value)
    except ValidationError as error:
        location = ["body", to_camel(field)]
        return [
            {"loc": [*location, *found["loc"]], "msg": found["msg"], "type": found["type"]}
            for found in error.errors()
        ]
    return []


def _locate(error: ConfigError) -> Invalid:
    if error.field == "timeZone":
        return Invalid(("body", "timeZone"), str(error))
    return Invalid(("body", "scheduleConfig", *([error.field] if error.field else [])), str(error))
