"""Which TaskFunctions there are, who uses them, and what their statuses say."""

from __future__ import annotations

from collections import defaultdict

import structlog

from sundial_core.resources.objects import ScheduledJob, TaskFunction
from sundial_core.status.task_functions import read_api_name

log = structlog.get_logger()


Name = tuple[str, str]
"""A namespace, and a name in it."""


class FunctionIndex:
    """TaskFunctions by name, by the API's name, and by user; `touched` are those whose status may differ."""

    def __init__(self) -> None:
        self._by_name: dict[Name, TaskFunction] = {}
        self._namesakes: defaultdict[Name, dict[str, TaskFunction]] = defaultdict(dict)
        self._users: defaultdict[Name, dict[str, str]] = defaultdict(dict)
        self.touched: set[str] = set()

    def find_named(self, job: ScheduledJob) -> TaskFunction | None:
        """Find the TaskFunction that a ScheduledJob names, if there is one."""
        name = read_function_name(job)
        return self._by_name.get((job.ns, name)) if name else None

    def list_namesakes(self, function: TaskFunction) -> list[TaskFunction]:
        """Find the TaskFunctions that have the same name in the API, itself included."""
        return list(self._namesakes[function.ns, read_api_name(function)].values())

    def list_users(self, function: TaskFunction) -> dict[str, str]:
        """Find the names of the ScheduledJobs that refer to a TaskFunction, by UID."""
        return self._users[function.ns, function.name]

    def note_user(self, old: ScheduledJob | None, new: ScheduledJob | None) -> None:
        """Take the change of a ScheduledJob."""
        before, after = (read_function_name(job) if job else "" for job in (old, new))
        if before == after and old is not None and new is not None:
            return
        if old is not None and before:
            self._users[old.ns, before].pop(old.uid, None)
            self._touch(self._by_name.get((old.ns, before)))
        if new is not None and after:
            self._users[new.ns, after][new.uid] = new.name
            self._touch(self._by_name.get((new.ns, after)))

    def note_function(self, old: TaskFunction | None, new: TaskFunction | None) -> list[str]:
        """Take the change of a TaskFunction; returns the UIDs of the ScheduledJobs whose work has changed."""
        function = new or old
        assert function is not None
        if old is not None:
            self._namesakes[old.ns, read_api_name(old)].pop(old.uid, None)
            self._touch(*self.list_namesakes(old))
        key = (function.ns, function.name)
        if new is not None:
            self._by_name[key] = new
            self._namesakes[new.ns, read_api_name(new)][new.uid] = new
            self._touch(*self.list_namesakes(new))
        elif (known := self._by_name.get(key)) is not None and known.uid == function.uid:
            del self._by_name[key]
        is_same = old is not None and new is not None and old.generation == new.generation
        return [] if is_same else list(self._users[key])

    def _touch(self, *functions: TaskFunction | None) -> None:
        self.touched.update(function.uid for function in functions if function is not None)


def read_function_name(job: ScheduledJob) -> str:
    """Read the name of the TaskFunction that a ScheduledJob refers to; empty without one."""
    reference = job.spec.get("taskFunctionRef")
    return str(reference.get("name", "")) if isinstance(reference, dict) else ""
