"""Which TaskFunctions there are, who uses them, and what their statuses say."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial

import structlog

from sundial_core.functions import build_function_status, find_elder, read_api_name
from sundial_core.objects import ScheduledJob, TaskFunction
from sundial_core.patches import build_patch
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.resources import TASK_FUNCTIONS
from sundial_kube.store import Store
from sundial_operator.agenda import read_clock
from sundial_operator.writer import Priority, Writer

log = structlog.get_logger()

REPORT_SECONDS = 3.0
"""How often a TaskFunction's status is written at most: a thousand new users are one write."""

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

    def find_namesakes(self, function: TaskFunction) -> list[TaskFunction]:
        """Find the TaskFunctions that have the same name in the API, itself included."""
        return list(self._namesakes[function.ns, read_api_name(function)].values())

    def find_users(self, function: TaskFunction) -> dict[str, str]:
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
            self._touch(*self.find_namesakes(old))
        key = (function.ns, function.name)
        if new is not None:
            self._by_name[key] = new
            self._namesakes[new.ns, read_api_name(new)][new.uid] = new
            self._touch(*self.find_namesakes(new))
        elif (known := self._by_name.get(key)) is not None and known.uid == function.uid:
            del self._by_name[key]
        is_same = old is not None and new is not None and old.generation == new.generation
        return [] if is_same else list(self._users[key])

    def _touch(self, *functions: TaskFunction | None) -> None:
        self.touched.update(function.uid for function in functions if function is not None)


class FunctionReports:
    """The leader's part: writes the statuses that differ, each function's at most every few seconds."""

    def __init__(
        self, client: KubeClient, writer: Writer, store: Store[TaskFunction], index: FunctionIndex
    ) -> None:
        self._client = client
        self._writer = writer
        self._store = store
        self._index = index

    async def run(self) -> None:
        """Look at what was touched, for ever."""
        while True:
            touched, self._index.touched = self._index.touched, set()
            for uid in touched:
                function = self._store.get(uid)
                if function is not None:
                    self._writer.submit(Priority.STATUS, function.ns, partial(self._report, function))
            await asyncio.sleep(REPORT_SECONDS)

    async def _report(self, function: TaskFunction) -> None:
        elder = find_elder(function, self._index.find_namesakes(function))
        users = self._index.find_users(function).values()
        status = build_function_status(function, elder, users, read_clock())
        if status == function.status and not function.unreadable:
            return
        patch = build_patch(function, status)
        try:
            answer = await self._client.patch_status(TASK_FUNCTIONS, function.ns, function.name, patch)
        except (ApiError, ApiUnreachable, NotLeading) as error:
            self._index.touched.add(function.uid)
            log.warning("writing the status of a TaskFunction failed", name=function.name, error=str(error))
        else:
            self._store.put(answer)


def read_function_name(job: ScheduledJob) -> str:
    """Read the name of the TaskFunction that a ScheduledJob refers to; empty without one."""
    reference = job.spec.get("taskFunctionRef")
    return str(reference.get("name", "")) if isinstance(reference, dict) else ""
