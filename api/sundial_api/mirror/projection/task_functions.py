"""A TaskFunction as a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sundial_api.http.job_fields import DEFAULT_TIMEOUT_SECONDS
from sundial_api.mirror.projection.sanitize import clean_json, fit_instant, trim
from sundial_api.mirror.projection.scheduled_jobs import find_last_edit
from sundial_core.resources.raw import JsonObject


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """A row of `task_functions` as far as the object tells; its id is given by the store."""

    namespace: str
    resource_name: str
    uid: str
    name: str
    display_name: str
    description: str | None
    handler_path: str
    handler_type: str
    queue: str | None
    default_timeout_seconds: int
    parameters_schema: Any
    is_active: bool
    is_system: bool
    created_at: str
    updated_at: str
    generation: int
    resource_version: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Function:
    """A TaskFunction as last seen."""

    row: FunctionRow
    is_gone: bool = False


def parse_function(item: JsonObject, epoch: int) -> Function:
    """Read a TaskFunction; raises KeyError, TypeError, ValueError or AttributeError when it is not one."""
    metadata, spec = item["metadata"], item["spec"]
    kind, path, queue = _parse_handler(spec["handler"])
    name = spec.get("name") or metadata["name"]
    row = FunctionRow(
        namespace=metadata["namespace"],
        resource_name=metadata["name"],
        uid=metadata["uid"],
        name=name,
        display_name=trim(spec.get("displayName"), 253) or name,
        description=trim(spec.get("description"), 1000),
        handler_path=path,
        handler_type=kind,
        queue=queue,
        default_timeout_seconds=int(spec.get("defaultTimeoutSeconds") or DEFAULT_TIMEOUT_SECONDS),
        parameters_schema=clean_json(spec.get("parametersSchema")),
        is_active=bool(spec.get("active", True)),
        is_system=bool(spec.get("system", False)),
        created_at=metadata["creationTimestamp"],
        updated_at=fit_instant(find_last_edit(metadata)[0]) or metadata["creationTimestamp"],
        generation=int(metadata["generation"]),
        resource_version=int(metadata["resourceVersion"]),
        epoch=epoch,
    )
    return Function(row)


def _parse_handler(handler: JsonObject) -> tuple[str, str, str | None]:
    """Read a handler's type, path and queue; a newer release's that is not known here raises ValueError."""
    if "celery" in handler:
        return "celery_task", handler["celery"]["task"], handler["celery"].get("queue")
    if "function" in handler:
        return "async_function", handler["function"]["path"], None
    if "container" in handler:
        return "container", "", None
    raise ValueError(f"a handler with none of the types that are known: {', '.join(handler)}")
