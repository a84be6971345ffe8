"""Which TaskFunctions there are, who uses them, and what their statuses say."""

from __future__ import annotations

from collections import defaultdict

import structlog

from sundial_core.resources.objects import ScheduledJob, TaskFunction
from sundial_core.resources.reasons import ConditionType, Reason
from sundial_core.status.task_functions import needs_runner, read_api_name

log = structlog.get_logger()


Name = tuple[str, str]
"""A namespace, and a name in it."""


class FunctionIndex:
    """TaskFunctions by name, by the API's name, and by user; `touched` are those whose status may differ."""

    def __init__(self) -> None:
        self._by_name: dict[Name, TaskFunction] = {}
        self._namesakes: defaultdict[Name, dict[str, TaskFunction]] = defaultdict(dict)
        self._users: defaultdict[Name, dict[str, str]] = defaultdict(dict)
        self._with_runner: defaultdict[str, set[str]] = defaultdict(set)
        self._misfits: defaultdict[Name, set[str]] = defaultdict(set)
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

    def count_misfits(self, function: TaskFunction) -> int:
        """Count the ScheduledJobs of a TaskFunction of which the status says that their args do not fit."""
        return len(self._misfits.get((function.ns, function.name), ()))

    def note_user(self, old: ScheduledJob | None, new: ScheduledJob | None) -> None:
        """Take the change of a ScheduledJob."""
        self._note_fit(old, new)
        before, after = (read_function_name(job) if job else "" for job in (old, new))
        if before == after and old is not None and new is not None:
            return
        if old is not None and before:
            self._users[old.ns, before].pop(old.uid, None)
            self._touch(self._by_name.get((old.ns, before)))
        if new is not None and after:
            self._users[new.ns, after][new.uid] = new.name
            self._touch(self._by_name.get((new.ns, after)))

    def _note_fit(self, old: ScheduledJob | None, new: ScheduledJob | None) -> None:
        """Take what the status of a ScheduledJob says of its args."""
        before, after = (_find_misfit(job) if job else None for job in (old, new))
        if before == after:
            return
        for job, name in ((old, before), (new, after)):
            if job is not None and name is not None:
                change = self._misfits[name].add if job is new else self._misfits[name].discard
                change(job.uid)
                self._touch(self._by_name.get(name))
                if not self._misfits[name]:
                    del self._misfits[name]

    def note_function(self, old: TaskFunction | None, new: TaskFunction | None) -> list[str]:
        """Take the change of a TaskFunction; returns the UIDs of the ScheduledJobs whose work has changed."""
        function = new or old
        assert function is not None
        self._note_runner(function, new)
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

    def list_runner_namespaces(self) -> set[str]:
        """List the namespaces with a TaskFunction whose Jobs need the runner."""
        return set(self._with_runner)

    def touch_namespace(self, ns: str) -> None:
        """Note that the runner has come into a namespace, or may not."""
        self.touched |= self._with_runner.get(ns, set())

    def _note_runner(self, function: TaskFunction, new: TaskFunction | None) -> None:
        known = self._with_runner[function.ns]
        if new is not None and needs_runner(new):
            known.add(function.uid)
        else:
            known.discard(function.uid)
        if not known:
            del self._with_runner[function.ns]

    def _touch(self, *functions: TaskFunction | None) -> None:
        self.touched.update(function.uid for function in functions if function is not None)


def _find_misfit(job: ScheduledJob) -> Name | None:
    """Find of which TaskFunction's schema a ScheduledJob says that its args do not fit it."""
    said = ((condition["type"], condition.get("reason")) for condition in job.status.get("conditions") or ())
    name = read_function_name(job)
    return (job.ns, name) if name and (ConditionType.READY, Reason.INVALID_ARGS) in said else None


def read_function_name(job: ScheduledJob) -> str:
    """Read the name of the TaskFunction that a ScheduledJob refers to; empty without one."""
    reference = job.spec.get("taskFunctionRef")
    return str(reference.get("name", "")) if isinstance(reference, dict) else ""
