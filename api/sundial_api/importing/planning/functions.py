"""What becomes of a function of the original? A TaskFunction, with what the templates say."""

from __future__ import annotations

import re

from sundial_api.importing.original.rows import OddValue, OriginalFunction, is_true, parse_whole
from sundial_api.importing.planning.resources import PlannedResource, build_manifest, name_function
from sundial_api.importing.planning.templates import Place, TemplatesFile
from sundial_core.resources.raw import JsonObject
from sundial_kube.resources import TASK_FUNCTIONS

API_NAME = re.compile("[A-Za-z0-9_.-]{1,253}")
NO_TEMPLATE = "no template says its image, command, environment and namespace"


def plan_function(row: OriginalFunction, templates: TemplatesFile | None) -> PlannedResource:
    """Plan a function."""
    title = row.name or row.id
    try:
        if not row.name:
            raise OddValue("it has no name")
        return _plan(row, row.name, templates)
    except OddValue as error:
        return PlannedResource(TASK_FUNCTIONS, row.id, title, problem=str(error))


def _plan(row: OriginalFunction, title: str, templates: TemplatesFile | None) -> PlannedResource:
    path = row.handler_path or ""
    place = templates.find(row.handler_type or "", path) if templates is not None else None
    handler = build_handler(row, place)
    if place is None:
        raise OddValue(NO_TEMPLATE, f"{row.handler_type} {path}")
    name = name_function(title)
    spec = _build_spec(row, title) | {"handler": handler, "template": place.template}
    manifest = build_manifest(TASK_FUNCTIONS, place.namespace, name, row.id, spec)
    is_shown = API_NAME.fullmatch(title) is not None
    notes = () if is_shown else (f"its name in the API is {name}: letters, digits, _, - and . only",)
    return PlannedResource(TASK_FUNCTIONS, row.id, title, place.namespace, name, manifest, notes=notes)


def build_handler(row: OriginalFunction, place: Place | None) -> JsonObject:
    """Build spec.handler; raises OddValue for a type that is not known."""
    if row.handler_type == "celery_task":
        app = {"app": place.app} if place is not None and place.app else {}
        queue = {"queue": row.queue} if row.queue else {}
        return {"celery": {"task": row.handler_path} | queue | app}
    if row.handler_type == "async_function":
        return {"function": {"path": row.handler_path}}
    raise OddValue("its handler type is neither celery_task nor async_function", row.handler_type)


def _build_spec(row: OriginalFunction, title: str) -> JsonObject:
    texts = {
        "name": title if API_NAME.fullmatch(title) else None,
        "displayName": row.display_name if len(row.display_name or "") > 1 else None,
        "description": row.description or None,
        "defaultTimeoutSeconds": parse_whole(row.default_timeout_seconds, "default_timeout_seconds"),
    }
    said = {name: value for name, value in texts.items() if value is not None}
    return said | {"active": is_true(row.is_active), "system": is_true(row.is_system)}
