"""How does somebody end a run? By a mark on its Job, or by withdrawing the ScheduledJobRun that waits."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import RowMapping

from sundial_api.deps import CallerAccess, Services
from sundial_api.executions import service
from sundial_api.executions.schemas import ScheduledJobExecutionRead
from sundial_api.http.errors import HTTPProblem
from sundial_api.http.refusals import translate_refusal
from sundial_api.mirror.projection.api_values import OPEN_STATUSES
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.storage.own_writes import next_version, take_deletion
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import ConditionType
from sundial_kube.errors import ApiError
from sundial_kube.resources import JOBS, SCHEDULED_JOB_RUNS, SCHEDULED_JOBS


@dataclass(frozen=True, slots=True)
class RunCanceller:
    """Ends runs for one caller."""

    services: Services
    caller: CallerAccess

    async def cancel(self, execution_id: UUID) -> ScheduledJobExecutionRead:
        """End a run: its Pods are stopped, its Job stays as the record.

        Raises Problem 404, and 409 when it has ended.
        """
        async with self.services.engine.begin() as connection:
            row = await service.get_execution(connection, execution_id)
        ns: str = row["namespace"]
        await self.caller.require("patch", SCHEDULED_JOBS, ns)
        if row["status"] not in OPEN_STATUSES:
            raise HTTPProblem(409, f"this execution has ended: {row['status']}")
        job_name = row["job_name"] or await self._withdraw(row)
        if job_name:
            await self._mark(ns, job_name)
        async with self.services.engine.begin() as connection:
            row = await service.get_execution(connection, execution_id)
        return ScheduledJobExecutionRead.model_validate(row)

    async def _withdraw(self, row: RowMapping) -> str | None:
        """Withdraw a run that waits for a place; one that has started meanwhile names its Job."""
        if row["run_name"] is None:
            raise HTTPProblem(409, "this run has no Job yet; try again in a moment")
        ns, name = row["namespace"], row["run_name"]
        try:
            run = await self.services.client.get(SCHEDULED_JOB_RUNS, ns, name)
            if has_started(run):
                return (run.get("status") or {}).get("jobName")
            await self.services.client.delete(SCHEDULED_JOB_RUNS, ns, name, str(row["id"]))
        except ApiError as error:
            raise translate_refusal(error) from error
        async with self.services.engine.begin() as connection:
            await take_deletion(
                connection, ObjectKind.SCHEDULED_JOB_RUN, next_version(run), self.services.read_clock()
            )
        return None

    async def _mark(self, ns: str, job_name: str) -> None:
        try:
            await self.services.client.patch(
                JOBS, ns, job_name, {"metadata": {"annotations": {names.CANCEL: "true"}}}
            )
        except ApiError as error:
            raise translate_refusal(error) from error


def has_started(run: JsonObject) -> bool:
    """Tell whether a ScheduledJobRun has its first Job."""
    conditions = (run.get("status") or {}).get("conditions") or ()
    return any(c["type"] == ConditionType.STARTED and c["status"] == "True" for c in conditions)
