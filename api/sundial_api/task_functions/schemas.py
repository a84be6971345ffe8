"""What answers about task functions and job types look like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from sqlalchemy import RowMapping

from sundial_api.http.paging import NamespaceName, PageQuery
from sundial_api.http.wire import Instant, WireModel


class TaskFunctionQuery(PageQuery):
    """Which task functions are wanted."""

    per_page: int = Field(50, ge=1, le=100, description="How many rows a page has.")
    is_active: bool | None = Field(None, description="Only those that new jobs may use, or only the others.")
    namespace: NamespaceName = None


class TaskFunctionRead(WireModel):
    """Something that can be run."""

    id: int
    name: str
    display_name: str
    description: str | None = None
    handler_path: str
    handler_type: str
    """celery_task, async_function or container."""
    queue: str | None = None
    default_timeout_seconds: int
    is_active: bool
    is_system: bool
    created_at: Instant
    namespace: str
    resource_name: str
    parameters_schema: dict[str, Any] | None = None
    """A JSON Schema of the arguments."""


def describe_function(row: RowMapping | Mapping[str, Any], default_namespace: str) -> TaskFunctionRead:
    """Describe a function; outside the default namespace its name begins with its own."""
    is_plain = row["namespace"] in ("", default_namespace)
    name = row["name"] if is_plain else f"{row['namespace']}/{row['name']}"
    return TaskFunctionRead.model_validate(dict(row) | {"name": name})


class TaskFunctionListResponse(WireModel):
    """A page of task functions."""

    task_functions: list[TaskFunctionRead]
    total: int


class SchedulerJobTypeRead(WireModel):
    """A kind of schedule: 1 interval, 2 cron, 3 once."""

    id: int
    name: str
    display_name: str
    description: str | None = None
