"""How is a run that failed made again? As one of the same job and slot, by the job as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sundial_api.db.fetch import Row
from sundial_api.deps import CallerAccess, Services
from sundial_api.executions import service as executions
from sundial_api.executions.schemas import ExecutionStatus
from sundial_api.http.errors import HTTPProblem
from sundial_api.jobs import repository as jobs
from sundial_api.jobs.schemas import ScheduledJobTriggered
from sundial_api.jobs.trigger import RunOrder, RunStarter
from sundial_clock.sentences import say
from sundial_kube.resources import SCHEDULED_JOB_RUNS, SCHEDULED_JOBS

FAILURES = (ExecutionStatus.FAILED, ExecutionStatus.TIMEOUT)


@dataclass(frozen=True, slots=True)
class RunRetrier:
    """Makes failed runs again for one caller."""

    services: Services
    caller: CallerAccess

    async def retry(self, execution_id: UUID, key: str | None) -> ScheduledJobTriggered:
        """Ask for another run; a repeat with the same key gives the one that is there.

        Raises Problem 404; 409 when the execution has not failed, its job is deleted, or may not start.
        """
        async with self.services.engine.begin() as connection:
            row = await executions.get_execution(connection, execution_id)
            job = await jobs.find_job(connection, row["job_id"])
        await self.caller.require("create", SCHEDULED_JOB_RUNS, row["namespace"])
        await self.caller.require("get", SCHEDULED_JOBS, row["namespace"])
        check_has_failed(row)
        if job is None:
            raise HTTPProblem(409, say("the job of this execution is deleted; nothing is left to run again"))
        return await RunStarter(self.services, self.caller).start(row["job_id"], key, build_order(row))


def check_has_failed(row: Row) -> None:
    """Check that an execution ended without success; raises Problem 409."""
    if row["status"] not in FAILURES:
        message = say(
            "only what failed, was cancelled or timed out is retried; this execution is {status}",
            status=row["status"],
        )
        raise HTTPProblem(409, message)


def build_order(row: Row) -> RunOrder:
    """Say which run is asked for again; that of a slot is for the same slot."""
    about = f"retry of execution {row['id']}"
    return RunOrder(about, row["scheduled_for"], about)
