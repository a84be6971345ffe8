"""The statuses of TaskFunctions, written as they change."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from sundial_core.resources.objects import TaskFunction
from sundial_core.resources.plans import check_schema
from sundial_core.status.patches import build_patch
from sundial_core.status.task_functions import build_function_status, find_elder, needs_runner
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.resources import TASK_FUNCTIONS
from sundial_kube.store import Store
from sundial_operator.clock import read_clock
from sundial_operator.inputs.function_index import FunctionIndex
from sundial_operator.outputs.runner_delivery import RunnerDelivery
from sundial_operator.outputs.write_queue import Priority, WriteQueue

log = structlog.get_logger()


REPORT_SECONDS = 3.0
"""How often a TaskFunction's status is written at most: a thousand new users are one write."""


class FunctionReports:
    """The leader's part: writes the statuses that differ, each function's at most every few seconds."""

    def __init__(
        self,
        client: KubeClient,
        writer: WriteQueue,
        store: Store[TaskFunction],
        index: FunctionIndex,
        runners: RunnerDelivery,
    ) -> None:
        self._client = client
        self._writer = writer
        self._store = store
        self._index = index
        self._runners = runners

    async def run(self) -> None:
        """Reconcile what was touched, for ever."""
        while True:
            touched, self._index.touched = self._index.touched, set()
            for uid in touched:
                function = self._store.get(uid)
                if function is not None:
                    check_schema(function.spec)  # known to the writers then, who would compile many at once
                    await asyncio.sleep(0)
                    self._writer.submit(Priority.STATUS, function.ns, partial(self._report, function))
            await asyncio.sleep(REPORT_SECONDS)

    async def _report(self, function: TaskFunction) -> None:
        """Write a status that differs; of a function that needs the runner once it is known where that is."""
        runner = self._runners.find(function.ns) if needs_runner(function) else None
        if runner is None and needs_runner(function):
            return
        elder = find_elder(function, self._index.list_namesakes(function))
        users = self._index.list_users(function).values()
        misfits = self._index.count_misfits(function)
        status = build_function_status(function, elder, users, runner, read_clock(), misfits)
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
