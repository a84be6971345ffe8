"""How does somebody end a run? By a mark on its Job, or by withdrawing the ScheduledJobRun that waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from sundial_api.db.fetch import Row
from sundial_api.deps import CallerAccess, Services
from sundial_api.executions import service
from sundial_api.executions.schemas import ScheduledJobExecutionRead
from sundial_api.http.errors import HTTPProblem
from sundial_api.http.refusals import translate_refusal
from sundial_api.mirror.projection.api_values import OPEN_STATUSES, describe_error, name_status
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.projection.executions import build_withdrawal
from sundial_api.mirror.storage.own_writes import next_version, take_deletion
from sundial_clock.instants import format_instant
from sundial_clock.sentences import say
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.reasons import ConditionType
from sundial_kube.errors import ApiError
from sundial_kube.resources import JOBS, SCHEDULED_JOB_RUNS, SCHEDULED_JOBS

log = structlog.get_logger()


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
            raise HTTPProblem(409, say("this execution has ended: {status}", status=row["status"]))
        withdrawn = None
        if row["job_name"] is None:
            withdrawn = await self._withdraw(row)
        elif not await self._mark(ns, row["job_name"]):
            raise HTTPProblem(404, say("there is no such object in the cluster any more"))
        return await self._describe(row, withdrawn)

    async def _withdraw(self, row: Row) -> JsonObject | None:
        """Withdraw a run whose Job is not mirrored; gives what was deleted, None where there is a Job by now.

        The ScheduledJobRun goes first: the operator ends a Job that is made after that.
        """
        run = await self._read_request(row)
        if run is None:
            raise HTTPProblem(409, say("this run has no Job yet; try again in a moment"))
        is_ours = not has_started(run) and await self._delete_request(run)
        parent, uid = run["spec"]["scheduledJobName"], run["metadata"]["uid"]
        has_job = await self._mark(row["namespace"], names.build_job_name(parent, uid, attempt=1))
        return run if is_ours and not has_job else None

    async def _read_request(self, row: Row) -> JsonObject | None:
        if row["run_name"] is None:
            return None
        try:
            run = await self.services.client.get_or_none(
                SCHEDULED_JOB_RUNS, row["namespace"], row["run_name"]
            )
        except ApiError as error:
            raise translate_refusal(error) from error
        return run if run is not None and run["metadata"]["uid"] == str(row["id"]) else None

    async def _delete_request(self, run: JsonObject) -> bool:
        """Delete a ScheduledJobRun; tells whether this did it, or it was gone by then."""
        metadata = run["metadata"]
        try:
            await self.services.client.delete(
                SCHEDULED_JOB_RUNS, metadata["namespace"], metadata["name"], metadata["uid"]
            )
        except ApiError as error:
            if error.status not in (404, 409):
                raise translate_refusal(error) from error
            return False
        return True

    async def _describe(self, row: Row, withdrawn: JsonObject | None) -> ScheduledJobExecutionRead:
        """Let the caller read how the run stands; the answer says what was done even if that fails."""
        now = self.services.read_clock()
        try:
            async with self.services.engine.begin() as connection:
                if withdrawn is not None:
                    gone = next_version(withdrawn)
                    await take_deletion(connection, ObjectKind.SCHEDULED_JOB_RUN, gone, now)
                row = await service.get_execution(connection, row["id"])
        except SQLAlchemyError as error:
            log.warning("the end of a run is not in the database yet", kind=type(error).__name__)
            if withdrawn is not None:
                row = describe_withdrawal(row, now)
        return ScheduledJobExecutionRead.model_validate(row, context=self.services.signatures.authorship)

    async def _mark(self, ns: str, job_name: str) -> bool:
        """Mark a Job, which the operator then ends; tells whether it is there."""
        try:
            await self.services.client.patch(
                JOBS, ns, job_name, {"metadata": {"annotations": {names.CANCEL: "true"}}}
            )
        except ApiError as error:
            if error.status != 404:
                raise translate_refusal(error) from error
            return False
        return True


def has_started(run: JsonObject) -> bool:
    """Tell whether a ScheduledJobRun has its first Job."""
    conditions = (run.get("status") or {}).get("conditions") or ()
    return any(c["type"] == ConditionType.STARTED and c["status"] == "True" for c in conditions)


def describe_withdrawal(row: Row, now: datetime) -> Row:
    """Describe a run that was withdrawn just now, as its row will."""
    outcome = build_withdrawal(format_instant(now))
    return {
        **row,
        "status": name_status(outcome.phase),
        "phase": outcome.phase.value,
        "reason": outcome.reason,
        "error_message": describe_error(outcome.reason, outcome.message),
        "completed_at": now,
        "duration_seconds": max(0.0, (now - row["started_at"]).total_seconds()),
    }
