"""The compiled spec of each ScheduledJob, once for each version of it and of its TaskFunction."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import orjson
import structlog

from sundial_core.decision.schedule_memory import PlanKey
from sundial_core.resources.objects import ScheduledJob
from sundial_core.resources.plans import Plan, Problem, compile_plan
from sundial_core.status.scheduled_jobs import UPCOMING
from sundial_operator.clock import read_clock
from sundial_operator.inputs.stores import Stores

log = structlog.get_logger()

AT_ONCE = 16
"""How many are compiled before the event loop gets its turn."""

LARGE_SCHEMA = 4096
"""Bytes of a schema of arguments that takes milliseconds to compile: that waits until it is asked for."""


class PlanCache:
    """Compiles what is asked for, and all that is listed in advance."""

    def __init__(self, observed: Stores, minimum_period: timedelta) -> None:
        self._observed = observed
        self._minimum_period = minimum_period
        self._plans: dict[str, tuple[PlanKey, Plan | Problem]] = {}

    def compile(self, job: ScheduledJob) -> tuple[PlanKey, Plan | Problem]:
        """Compile the plan of a spec, unless it is known; the key changes with what it was compiled from."""
        function = self._observed.function_of(job)
        key = (job.generation, function.uid if function else "", function.generation if function else 0)
        known = self._plans.get(job.uid)
        if known is None or known[0] != key:
            known = self._plans[job.uid] = key, compile_plan(job, function, self._minimum_period)
        return known

    def forget(self, uid: str) -> None:
        """Forget a ScheduledJob that is gone."""
        self._plans.pop(uid, None)

    async def prepare(self) -> None:
        """Compile what is listed and find its next slots, while there is nothing to decide yet.

        What takes long is left for its own decision: a namespace full of it must not delay who leads.
        """
        for number, job in enumerate(self._observed.schedules):
            try:
                plan = None if self._is_large(job) else self.compile(job)[1]
                if isinstance(plan, Plan):
                    plan.schedule.slots_after(read_clock(), UPCOMING)
            except Exception:
                log.exception("compiling failed", uid=job.uid)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    def _is_large(self, job: ScheduledJob) -> bool:
        function = self._observed.function_of(job)
        schema = function.spec.get("parametersSchema") if function is not None else None
        return schema is not None and len(orjson.dumps(schema)) > LARGE_SCHEMA
