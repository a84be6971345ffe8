"""The one table of the fields that the frontend and the spec of a ScheduledJob share.

By this table requests are written into a spec, specs are read into rows, and what the API server refuses is
told by the frontend's names. The limits of a request stand beside the fields of `jobs/schemas.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sundial_core.resources.raw import JsonObject

DEFAULT_TIMEOUT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class JobField:
    """Where a spec has a field of the frontend, and what it means when it has none."""

    path: tuple[str, ...]
    """The names that lead to it in the spec."""
    default: Any = None
    """What the operator takes where a spec leaves it out."""
    is_optional: bool = False
    """Whether null in a request removes the field; elsewhere null means to leave it as it is."""

    def find(self, spec: JsonObject) -> Any:
        """Find the value that a spec has; None where it has none."""
        value: Any = spec
        for name in self.path:
            value = (value or {}).get(name)
        return value

    def read(self, spec: JsonObject) -> Any:
        """Read the value that holds for a spec: its own, else the default."""
        value = self.find(spec)
        return self.default if value is None else value

    def put(self, spec: JsonObject, value: Any) -> None:
        """Put a value into a spec, in place; None removes the field."""
        *outer, last = self.path
        inner = spec
        for name in outer:
            inner = inner.setdefault(name, {})
        if value is None:
            inner.pop(last, None)
        else:
            inner[last] = value


JOB_FIELDS: Mapping[str, JobField] = {
    "name": JobField(("displayName",)),
    "description": JobField(("description",), is_optional=True),
    "task_args": JobField(("args",), is_optional=True),
    "max_instances": JobField(("concurrency", "maxInstances"), default=1),
    "timeout_seconds": JobField(("timeoutSeconds",), default=DEFAULT_TIMEOUT_SECONDS),
    "retry_count": JobField(("retry", "count"), default=3),
    "retry_delay_seconds": JobField(("retry", "delaySeconds"), default=60),
    "time_zone": JobField(("schedule", "timeZone"), default="UTC"),
}

EMPTY_IS_NULL = ("description", "time_zone")
"""The texts that a form sends empty where there is none."""
