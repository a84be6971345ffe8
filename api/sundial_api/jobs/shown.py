"""How do the answers show a job as its object is now? An edit is compared with that, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.db.fetch import Row
from sundial_api.http.errors import HTTPProblem
from sundial_api.jobs import repository
from sundial_api.jobs.schemas import ScheduledJobRead
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.projection.scheduled_jobs import build_etag
from sundial_api.mirror.storage.own_writes import take_answers
from sundial_api.task_functions import repository as functions
from sundial_clock.sentences import say
from sundial_core.resources.raw import JsonObject


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A job as an answer shows it, and the task function that it shows, if there ever was one."""

    job: ScheduledJobRead
    function: Row | None


async def find_shown(connection: AsyncConnection, item: JsonObject, now: datetime) -> ShownJob | None:
    """Find how a ScheduledJob is shown, written to the database if need be; None where a newer one is known.

    Raises Problem 404 where the job is known to be gone, 409 where its object cannot be read.
    """
    metadata = item["metadata"]
    row = await repository.find_job(connection, UUID(metadata["uid"]))
    if row is None or row["etag"] != build_etag(metadata):
        await take_answers(connection, [(ObjectKind.SCHEDULED_JOB, item)], now)
        row = await repository.find_job(connection, UUID(metadata["uid"]))
    if row is None:
        raise HTTPProblem(404, say("there is no job of that id any more"))
    if row["resource_version"] > int(metadata["resourceVersion"]) and row["etag"] != build_etag(metadata):
        return None
    if row["etag"] != build_etag(metadata):
        raise HTTPProblem(409, say("this release cannot read the job's object; change it with kubectl"))
    function = await functions.find_function(connection, row["task_function_id"])
    return ShownJob(ScheduledJobRead.model_validate(row), function)
