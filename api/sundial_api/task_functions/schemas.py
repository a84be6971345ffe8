"""What answers about task functions and job types look like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, PlainSerializer

from sundial_api.db.fetch import Row
from sundial_api.http.fields import FieldChoice, choose_fields
from sundial_api.http.invalid_values import PLAIN
from sundial_api.http.languages import show_stored
from sundial_api.http.paging import NamespaceName, PageQuery
from sundial_api.http.wire import Instant, WireModel

FunctionText = Annotated[str, PlainSerializer(lambda text: show_stored("function", text), return_type=str)]
TypeText = Annotated[str, PlainSerializer(lambda text: show_stored("type", text), return_type=str)]
"""Texts of which the installation's own are shown in the caller's language."""


class TaskFunctionQuery(PageQuery):
    """Which task functions are wanted."""

    per_page: int = Field(50, ge=1, le=100, description="How many rows a page has.")
    is_active: bool | None = Field(None, description="Only those that new jobs may use, or only the others.")
    q: str | None = Field(
        None,
        max_length=253,
        pattern=PLAIN,
        description="A part of the name, the display name or the description, in any case.",
    )
    namespace: NamespaceName = None


class TaskFunctionRead(WireModel):
    """Something that can be run."""

    id: int
    name: str
    display_name: FunctionText
    description: FunctionText | None = None
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


WHOLE = choose_fields(TaskFunctionRead, None)


def describe_function(
    row: Row | Mapping[str, Any],
    default_namespace: str,
    chosen: FieldChoice[TaskFunctionRead] = WHOLE,
) -> TaskFunctionRead:
    """Describe a function; outside the default namespace its name begins with its own."""
    is_plain = row["namespace"] in ("", default_namespace)
    name = row["name"] if is_plain else f"{row['namespace']}/{row['name']}"
    return chosen.read(dict(row) | {"name": name})


class TaskFunctionListResponse(WireModel):
    """A page of task functions."""

    task_functions: list[TaskFunctionRead]
    total: int
    is_complete: bool = True
    """False while it is still being found which namespaces the caller may list: ask again in a moment."""


class SchedulerJobTypeRead(WireModel):
    """A kind of schedule: 1 interval, 2 cron, 3 once."""

    id: int
    name: str
    display_name: TypeText
    description: TypeText | None = None
