"""How does somebody start a run now? By a ScheduledJobRun."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from sundial_api.db.fetch import Row
from sundial_api.deps import CallerAccess, Services
from sundial_api.executions import service as execution_service
from sundial_api.executions.schemas import ScheduledJobExecutionRead
from sundial_api.http.errors import HTTPProblem
from sundial_api.http.refusals import translate_refusal
from sundial_api.jobs import manifests, repository, service
from sundial_api.jobs.manifests import Author
from sundial_api.jobs.repeats import build_keyed_name, check_repeat
from sundial_api.jobs.schemas import ScheduledJobRead, ScheduledJobTriggered
from sundial_api.jobs.start_rules import find_refusal, find_wait
from sundial_api.jobs.unsaved import describe_unstored, describe_unstored_run
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.storage.own_writes import take_answers
from sundial_clock.instants import format_instant, parse_instant
from sundial_clock.schedule import CompiledSchedule, ScheduleError, compile_schedule
from sundial_clock.sentences import Sentence, say
from sundial_core.resources import names
from sundial_core.resources.objects import (
    ScheduledJob,
    TaskFunction,
    parse_scheduled_job,
    parse_task_function,
)
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.schedules import ScheduleSpec
from sundial_kube.errors import ApiError
from sundial_kube.resources import SCHEDULED_JOB_RUNS, SCHEDULED_JOBS, TASK_FUNCTIONS

log = structlog.get_logger()

UNSAID = say("the job cannot be started now; somebody who may read it is told why")


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What is asked for besides a run of the job; `about` is what an Idempotency-Key stands for with it."""

    about: str = ""
    slot: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RunStarter:
    """Starts runs for one caller."""

    services: Services
    caller: CallerAccess

    async def trigger(self, job_id: UUID, key: str | None) -> ScheduledJobTriggered:
        """Ask for a run now; raises as `start`."""
        return await self.start(job_id, key, RunOrder())

    async def start(self, job_id: UUID, key: str | None, order: RunOrder) -> ScheduledJobTriggered:
        """Ask for a run; a repeat with the same key gives the one that is there.

        Who may not read the job is told ids only. Raises Problem 404, and 409 where the operator would refuse
        the run, or the schedule does not have the slot.
        """
        async with self.services.engine.begin() as connection:
            row = await service.get_job(connection, job_id)
            open_runs = await execution_service.count_unfinished(connection, row)
        ns: str = row["namespace"]
        await self.caller.require("create", SCHEDULED_JOB_RUNS, ns)
        may_read = await self.caller.may("get", SCHEDULED_JOBS, ns)
        job = await self.read_job(row)
        parsed = parse_scheduled_job(job)
        function = await self.read_function(parsed)
        author = Author(self.caller.identity.uid, self.caller.identity.name, self.services.read_clock())
        name = self._name_run(row, key, order.about)
        known = await self._find_known(ns, name, author.now) if key is not None else None
        waits_for = None
        if known is None:
            waits_for = find_wait(parsed, function)
            refusal = find_refusal(parsed, function, open_runs, author.now)
            if refusal is not None:
                raise HTTPProblem(409, refusal if may_read else UNSAID)
            check_slot(job, order.slot)
            seconds = manifests.RUN_SECONDS if key is None else manifests.REPEATABLE_SECONDS
            manifest = manifests.build_run(job, name, author, seconds)
            known = await self._create(ns, manifests.order_run(manifest, order.slot, order.reason))
        answer = name_task(await self._describe(row, job, known), function)
        waits_for = waits_for or await self._find_hold(author.now)
        if waits_for is not None:
            words = say("a run of {name} was asked for; {why}", name=row["name"], why=waits_for)
            answer = answer.model_copy(update={"message": words})
        return answer if may_read else _keep_ids(answer)

    async def _find_hold(self, now: datetime) -> Sentence | None:
        """Say that nothing starts now, if that is known; the run is asked for in any case."""
        since = now - timedelta(seconds=self.services.settings.instance_seconds)
        try:
            async with self.services.engine.begin() as connection:
                leader = await repository.find_leader(connection, since)
        except SQLAlchemyError:
            return None
        if leader is None:
            return say("no operator leads now, and it waits for one; see isRunning in GET /status")
        is_held = leader["term"] is not None and leader["held_by"] is not None
        return say("all starts are held now, and it waits; see hold in GET /status") if is_held else None

    async def read_function(self, job: ScheduledJob) -> TaskFunction | None:
        """Read the TaskFunction that a job names, uncached; None where it names none, or there is none."""
        name = (job.spec.get("taskFunctionRef") or {}).get("name")
        if name is None:
            return None
        try:
            found = await self.services.client.get_or_none(TASK_FUNCTIONS, job.ns, name)
        except ApiError as error:
            raise translate_refusal(error) from error
        return None if found is None else parse_task_function(found)

    async def read_job(self, row: Row) -> JsonObject:
        """Read the object of a job, uncached; raises Problem 404."""
        try:
            job = await self.services.client.get(SCHEDULED_JOBS, row["namespace"], row["resource_name"])
        except ApiError as error:
            raise translate_refusal(error) from error
        if job["metadata"]["uid"] != str(row["id"]) or "deletionTimestamp" in job["metadata"]:
            raise HTTPProblem(404, say("there is no job of that id any more"))
        return job

    def _name_run(self, row: Row, key: str | None, about: str) -> str:
        name = str(row["resource_name"])[:40].rstrip("-")
        if key is None:
            return f"{name}-{secrets.token_hex(5)}"
        parts = (row["namespace"], str(self.caller.identity.uid), str(row["id"]) + about, key)
        return build_keyed_name("run", *parts)

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

    async def _describe(self, row: Row, job: JsonObject, run: JsonObject) -> ScheduledJobTriggered:
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
            shown = describe_unstored(job, row["task_function_id"], row["timeout_seconds"], now)
            return _describe_trigger(shown, describe_unstored_run(run, row["id"], self._authorship))
        if found is None:
            raise HTTPProblem(404, say("there is no job of that id any more"))
        shown = ScheduledJobRead.model_validate(found)
        return _describe_trigger(
            shown, ScheduledJobExecutionRead.model_validate(execution, context=self._authorship)
        )

    @property
    def _authorship(self) -> str:
        return self.services.signatures.authorship


def _describe_trigger(job: ScheduledJobRead, execution: ScheduledJobExecutionRead) -> ScheduledJobTriggered:
    return ScheduledJobTriggered(
        job_id=job.id,
        execution_id=execution.id,
        celery_task_id=execution.celery_task_id,
        message=say("{name} was started", name=job.name),
        execution=execution,
        job=job,
    )


def name_task(answer: ScheduledJobTriggered, function: TaskFunction | None) -> ScheduledJobTriggered:
    """Tell the id of the Celery task of a run that has no Job yet, if its function sends one."""
    execution = answer.execution
    is_celery = function is not None and "celery" in (function.spec.get("handler") or {})
    if execution is None or execution.attempt or not is_celery:
        return answer
    task_id = {"celery_task_id": names.build_celery_task_id(str(execution.id), 1)}
    return answer.model_copy(update=task_id | {"execution": execution.model_copy(update=task_id)})


def _keep_ids(answer: ScheduledJobTriggered) -> ScheduledJobTriggered:
    """Leave out what only those are to see who may read the job."""
    hidden = {"job": None, "execution": None, "message": say("the run was asked for")}
    return answer.model_copy(update=hidden)


def check_slot(job: JsonObject, slot: datetime | None) -> None:
    """Check that a job's schedule has a slot; raises Problem 409."""
    if slot is not None and not compile_job(job).is_slot(slot):
        message = say(
            "{slot} is no slot of the schedule any more; trigger the job instead", slot=format_instant(slot)
        )
        raise HTTPProblem(409, message)


def compile_job(job: JsonObject) -> CompiledSchedule:
    """Compile the schedule of a ScheduledJob as the operator does; raises Problem 409."""
    metadata = job["metadata"]
    name, created_at = f"{metadata['namespace']}/{metadata['name']}", metadata["creationTimestamp"]
    try:
        schedule = ScheduleSpec.model_validate(job["spec"]["schedule"]).to_schedule()
        return compile_schedule(schedule, name=name, created_at=parse_instant(created_at))
    except (ValidationError, ScheduleError) as error:
        raise HTTPProblem(409, say("the job's schedule cannot be used; see readyMessage")) from error
