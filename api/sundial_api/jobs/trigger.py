"""How does somebody start a run now? By a ScheduledJobRun."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.exc import SQLAlchemyError

from sundial_api.deps import CallerAccess, Services
from sundial_api.executions import repository as executions
from sundial_api.executions import service as execution_service
from sundial_api.executions.repository import ExecutionFilter
from sundial_api.executions.schemas import ScheduledJobExecutionRead
from sundial_api.http.errors import HTTPProblem
from sundial_api.http.refusals import translate_refusal
from sundial_api.jobs import manifests, repository, service
from sundial_api.jobs.manifests import Author
from sundial_api.jobs.schemas import ScheduledJobRead, ScheduledJobTriggered
from sundial_api.jobs.unsaved import describe_unstored, describe_unstored_run
from sundial_api.jobs.writer import check_repeat
from sundial_api.mirror.projection.api_values import OPEN_STATUSES
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.storage.own_writes import take_answers
from sundial_core.decision.concurrency import Admission, decide_admission
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.specs import Concurrency
from sundial_kube.errors import ApiError
from sundial_kube.resources import SCHEDULED_JOB_RUNS, SCHEDULED_JOBS

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RunStarter:
    """Starts runs for one caller."""

    services: Services
    caller: CallerAccess

    async def trigger(self, job_id: UUID, key: str | None) -> ScheduledJobTriggered:
        """Ask for a run now; a repeat with the same key gives the one that is there.

        Raises Problem 404; 409 when the job is not enabled or its concurrency rule would skip the run.
        """
        async with self.services.engine.begin() as connection:
            row = await service.get_job(connection, job_id)
            wanted = [ExecutionFilter(job_id, status) for status in OPEN_STATUSES]
            active = sum([await executions.count_executions(connection, query) for query in wanted])
        ns: str = row["namespace"]
        await self.caller.require("create", SCHEDULED_JOB_RUNS, ns)
        job = await self._read_job(row)
        author = Author(self.caller.identity.uid, self.caller.identity.name, self.services.read_clock())
        name = self._name_run(row, key)
        known = await self._find_known(ns, name, author.now) if key is not None else None
        if known is None:
            check_may_start(row, active)
            seconds = manifests.RUN_SECONDS if key is None else manifests.REPEATABLE_SECONDS
            known = await self._create(ns, manifests.build_run(job, name, author, seconds))
        return await self._describe(row, job, known)

    async def _read_job(self, row: RowMapping) -> JsonObject:
        try:
            job = await self.services.client.get(SCHEDULED_JOBS, row["namespace"], row["resource_name"])
        except ApiError as error:
            raise translate_refusal(error) from error
        if job["metadata"]["uid"] != str(row["id"]):
            raise HTTPProblem(404, "there is no job of that id any more")
        return job

    def _name_run(self, row: RowMapping, key: str | None) -> str:
        name = str(row["resource_name"])[:40].rstrip("-")
        if key is None:
            return f"{name}-{secrets.token_hex(5)}"
        return manifests.build_keyed_name(
            "run", row["namespace"], str(self.caller.identity.uid), str(row["id"]), key
        )

    async def _find_known(self, ns: str, name: str, now: datetime) -> JsonObject | None:
        try:
            known = await self.services.client.get_or_none(SCHEDULED_JOB_RUNS, ns, name)
        except ApiError as error:
            raise translate_refusal(error) from error
        if known is not None:
            check_repeat(known, now)
        return known

    async def _create(self, ns: str, manifest: JsonObject) -> JsonObject:
        """Create the ScheduledJobRun; of two requests with one key the second takes the first one's."""
        try:
            return await self.services.client.create(SCHEDULED_JOB_RUNS, ns, manifest)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise translate_refusal(error) from error
            return await self.services.client.get(SCHEDULED_JOB_RUNS, ns, manifest["metadata"]["name"])

    async def _describe(self, row: RowMapping, job: JsonObject, run: JsonObject) -> ScheduledJobTriggered:
        """Let the caller read the run; the answer is the objects' even if that fails."""
        answers = [(ObjectKind.SCHEDULED_JOB, job), (ObjectKind.SCHEDULED_JOB_RUN, run)]
        now = self.services.read_clock()
        try:
            async with self.services.engine.begin() as connection:
                await take_answers(connection, answers, now)
                found = await repository.find_job(connection, row["id"])
                execution = await execution_service.get_execution(connection, UUID(run["metadata"]["uid"]))
        except SQLAlchemyError as error:
            log.warning("a run that was asked for is not in the database yet", kind=type(error).__name__)
            shown = describe_unstored(job, row["task_function_id"], now)
            return _describe_trigger(shown, describe_unstored_run(run, row["id"]))
        if found is None:
            raise HTTPProblem(404, "there is no job of that id any more")
        shown = ScheduledJobRead.model_validate(found)
        return _describe_trigger(shown, ScheduledJobExecutionRead.model_validate(execution))


def _describe_trigger(job: ScheduledJobRead, execution: ScheduledJobExecutionRead) -> ScheduledJobTriggered:
    return ScheduledJobTriggered(
        job_id=job.id,
        execution_id=execution.id,
        celery_task_id=execution.celery_task_id,
        message=f"{job.name} was started",
        execution=execution,
        job=job,
    )


def check_may_start(row: RowMapping, active: int) -> None:
    """Check that the concurrency rule would start one more run; raises Problem 409."""
    if not row["is_enabled"]:
        raise HTTPProblem(409, "the job is disabled; enable it first")
    rule = Concurrency(
        policy=row["concurrency_policy"], max_instances=row["max_instances"], max_queued=row["max_queued"]
    )
    waiting = max(0, active + row["queued_count"] - rule.max_instances)
    if decide_admission(rule, active + row["queued_count"] - waiting, waiting) is Admission.SKIP:
        raise HTTPProblem(409, f"already running: {active} active, {rule.max_instances} allowed")
