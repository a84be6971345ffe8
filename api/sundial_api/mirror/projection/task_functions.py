"""A TaskFunction as a row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sundial_api.http.job_fields import DEFAULT_TIMEOUT_SECONDS
from sundial_api.mirror.projection.sanitize import clean_json, trim
from sundial_clock.instants import format_instant
from sundial_core.resources.managed_fields import UserWrite, find_newest_write, parse_user_writes
from sundial_core.resources.raw import JsonObject

HANDLER_TYPES = {"celery": "celery_task", "function": "async_function", "container": "container"}
"""What the handlers of a TaskFunction are called in the API."""


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
    """What the object says; whether this release runs the handler is for who reads the row."""
    is_system: bool
    created_at: str
    updated_at: str
    generation: int
    resource_version: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Function:
    """A TaskFunction as last seen; until it is dated its row was last updated when it was created."""

    row: FunctionRow
    writes: tuple[UserWrite, ...] = ()
    is_gone: bool = False

    def date(self, now: datetime) -> Function:
        """Say when a user last wrote it, of what managedFields tell as much as is possible."""
        newest = find_newest_write(self.writes, now)
        if newest is None:
            return self
        return replace(self, row=replace(self.row, updated_at=format_instant(newest.at)))


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
        updated_at=metadata["creationTimestamp"],
        generation=int(metadata["generation"]),
        resource_version=int(metadata["resourceVersion"]),
        epoch=epoch,
    )
    return Function(row, parse_user_writes(metadata))


def _parse_handler(handler: JsonObject) -> tuple[str, str, str | None]:
    """Read a handler's type, path and queue; a newer release's that is not known here raises ValueError."""
    kind = next((kind for kind in HANDLER_TYPES if kind in handler), None)
    if kind == "celery":
        return HANDLER_TYPES[kind], handler[kind]["task"], handler[kind].get("queue")
    if kind == "function":
        return HANDLER_TYPES[kind], handler[kind]["path"], None
    if kind == "container":
        return HANDLER_TYPES[kind], "", None
    raise ValueError(f"a handler with none of the types that are known: {', '.join(handler)}")
