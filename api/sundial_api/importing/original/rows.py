"""A row of each of the original's tables as it is read: every column as text, for anything may be in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from sundial_core.resources.raw import JsonObject

MAX_JSON_CHARS = 65_536
"""A longer value is cut where it is read, and refused."""


MAX_SHOWN_CHARS = 60
MAX_NUMBER_CHARS = 18


class OddValue(ValueError):
    """A value that nothing can be made of; `sort` says which and why, the text what it is besides."""

    def __init__(self, sort: str, value: object = None) -> None:
        super().__init__(sort if value is None else f"{sort}: {str(value)[:MAX_SHOWN_CHARS]}")
        self.sort = sort


@dataclass(frozen=True, slots=True)
class OriginalFunction:
    """A row of task_functions."""

    id: str
    name: str | None
    display_name: str | None
    description: str | None
    handler_path: str | None
    handler_type: str | None
    queue: str | None
    default_timeout_seconds: str | None
    is_active: str | None
    is_system: str | None


@dataclass(frozen=True, slots=True)
class OriginalJob:
    """A row of scheduled_jobs, with the name of its type from scheduler_job_types."""

    id: str
    name: str | None
    description: str | None
    task_function_id: str | None
    job_type: str | None
    schedule_config: str | None
    task_args: str | None
    max_instances: str | None
    timeout_seconds: str | None
    retry_count: str | None
    retry_delay_seconds: str | None
    is_enabled: str | None
    is_paused: str | None
    next_run_time: str | None


@dataclass(frozen=True, slots=True)
class OriginalExecution:
    """A row of scheduled_job_executions."""

    id: str
    job_id: str | None
    celery_task_id: str | None
    status: str | None
    started_at: str | None
    completed_at: str | None
    duration_seconds: str | None
    result: str | None
    error_message: str | None
    error_traceback: str | None
    triggered_by: str | None
    triggered_by_user_id: str | None
    scheduler_instance_id: str | None


@dataclass(frozen=True, slots=True)
class OriginalInstance:
    """A row of scheduler_instances, by which it is seen whether the original still runs."""

    hostname: str | None
    last_heartbeat: str | None


def parse_json(text: str | None, what: str) -> Any:
    """Read a JSON column, None for null; raises OddValue."""
    if text is None:
        return None
    if len(text) > MAX_JSON_CHARS:
        raise OddValue(f"{what} is longer than {MAX_JSON_CHARS:,} characters")
    try:
        value = orjson.loads(text)
        orjson.dumps([{what: {what: value}}])
    except (orjson.JSONDecodeError, TypeError):
        raise OddValue(f"{what} is no JSON that can be read here, or nested too deeply") from None
    return value


def parse_object(text: str | None, what: str) -> JsonObject | None:
    """Read a column that holds a JSON object, None for null; raises OddValue."""
    value = parse_json(text, what)
    if value is None or isinstance(value, dict):
        return value
    raise OddValue(f"{what} is no JSON object")


def parse_whole(text: str | None, what: str) -> int | None:
    """Read a whole number, None for null; raises OddValue."""
    try:
        return None if text is None else int(text[:MAX_NUMBER_CHARS])
    except ValueError:
        raise OddValue(f"{what} is no whole number", text) from None


def is_true(text: str | None) -> bool:
    """Read a boolean; null is false."""
    return text == "true"
