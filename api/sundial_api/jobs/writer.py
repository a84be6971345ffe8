"""What is written of jobs: each write goes to the custom resource, and its answer becomes a row at once.

The database is asked first: with it away nothing is touched. If it goes away afterwards, the write has
happened, and the answer is built from the object.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.exc import SQLAlchemyError

from sundial_api.deps import CallerAccess, Services
from sundial_api.http.errors import HTTPProblem, Invalid
from sundial_api.http.refusals import translate_refusal
from sundial_api.jobs import edits, manifests, repository, service
from sundial_api.jobs.manifests import Author
from sundial_api.jobs.schemas import ScheduledJobCreate, ScheduledJobRead, ScheduledJobUpdate
from sundial_api.jobs.unsaved import describe_unstored
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.projection.scheduled_jobs import build_etag
from sundial_api.mirror.storage.own_writes import next_version, take_answers, take_deletion
from sundial_api.task_functions import repository as functions
from sundial_core.resources import names
from sundial_core.resources.gitops import find_gitops_tool
from sundial_core.resources.raw import JsonObject
from sundial_kube.errors import ApiError
from sundial_kube.resources import SCHEDULED_JOBS

log = structlog.get_logger()

TRIES = 3
REPEAT_WITHIN = timedelta(hours=24)
"""How long an Idempotency-Key stands for what was made with it."""

JobChange = Callable[[JsonObject], JsonObject]


@dataclass(frozen=True, slots=True)
class WrittenJob:
    """A job as it was written, and the tag that an If-Match may name."""

    job: ScheduledJobRead
    etag: str


@dataclass(frozen=True, slots=True)
class ScheduledJobWriter:
    """Writes jobs for one caller."""

    services: Services
    caller: CallerAccess

    async def create(self, body: ScheduledJobCreate, key: str | None) -> WrittenJob:
        """Create a job; a repeat with the same key gives the one that is there."""
        async with self.services.engine.begin() as connection:
            function = await functions.find_function(connection, body.task_function_id)
        if function is None:
            raise Invalid(("body", "taskFunctionId"), "is no task function; see GET /task-functions")
        ns: str = function["namespace"]
        await self.caller.require("create", SCHEDULED_JOBS, ns)
        author = self._author()
        spec = edits.build_spec(body, function, self.services.settings.time_zone, author.now)
        name = self._name_job(body.name, ns, key)
        manifest = manifests.build_scheduled_job(ns, name, spec, author)
        try:
            item = await self.services.client.create(SCHEDULED_JOBS, ns, manifest)
        except ApiError as error:
            if key is None or error.reason != "AlreadyExists":
                raise translate_refusal(error) from error
            item = await self._read_repeated(ns, name, author.now)
        return await self._store(item, function["id"])

    async def update(self, job_id: UUID, body: ScheduledJobUpdate, if_match: str | None) -> WrittenJob:
        """Change the fields that differ; raises Problem 404, 409, 412 and Invalid."""
        row = await self._get_permitted(job_id, "patch")
        function = await self._find_function(body.task_function_id, row["task_function_id"])
        edits.check_namespace(body.namespace, row)
        author = self._author()

        def change(item: JsonObject) -> JsonObject:
            spec = edits.apply_update(item, body, author.now)
            if function is not None:
                spec = edits.write_function(spec, row["namespace"], function)
            if spec != item["spec"]:
                check_owner(item)
            changed = item | {"spec": spec}
            if body.is_enabled is not None:
                changed = switch(changed, body.is_enabled, author)
            return changed

        item = await self._edit(row, change, if_match, author)
        return await self._store(item, function["id"] if function else row["task_function_id"])

    async def toggle(self, job_id: UUID, enabled: bool, if_match: str | None) -> WrittenJob:  # noqa: FBT001 - the contract's field
        """Enable or disable a job."""
        row = await self._get_permitted(job_id, "patch")
        author = self._author()
        item = await self._edit(row, lambda item: switch(item, enabled, author), if_match, author)
        return await self._store(item, row["task_function_id"])

    async def delete(self, job_id: UUID, if_match: str | None) -> None:
        """Delete a job and, in the background, what it started."""
        row = await self._get_permitted(job_id, "delete")
        function = await self._find_function(row["task_function_id"], None)
        if function is not None and function["is_system"]:
            raise HTTPProblem(409, f"{function['name']} is a task function of the system; its jobs stay")
        item = await self._read(row)
        check_match(item, if_match)
        check_owner(item)
        ns, name = row["namespace"], row["resource_name"]
        try:
            await self.services.client.delete(SCHEDULED_JOBS, ns, name, str(row["id"]))
        except ApiError as error:
            if error.status not in (404, 409):
                raise translate_refusal(error) from error
        try:
            async with self.services.engine.begin() as connection:
                await take_deletion(
                    connection, ObjectKind.SCHEDULED_JOB, next_version(item), self.services.read_clock()
                )
        except SQLAlchemyError as error:
            log.warning("a deletion is not in the database yet", kind=type(error).__name__)

    async def _get_permitted(self, job_id: UUID, verb: str) -> RowMapping:
        async with self.services.engine.begin() as connection:
            row = await service.get_job(connection, job_id)
        await self.caller.require(verb, SCHEDULED_JOBS, row["namespace"])
        return row

    async def _find_function(self, wanted: int | None, known: int | None) -> RowMapping | None:
        if wanted is None or wanted == known:
            return None
        async with self.services.engine.begin() as connection:
            function = await functions.find_function(connection, wanted)
        if function is None and known is not None:
            raise Invalid(("body", "taskFunctionId"), "is no task function; see GET /task-functions")
        return function

    async def _read(self, row: RowMapping) -> JsonObject:
        """Read a job's object, uncached; another one of that name is not it."""
        try:
            item = await self.services.client.get(SCHEDULED_JOBS, row["namespace"], row["resource_name"])
        except ApiError as error:
            raise translate_refusal(error) from error
        if item["metadata"]["uid"] != str(row["id"]) or "deletionTimestamp" in item["metadata"]:
            raise HTTPProblem(404, "there is no job of that id any more")
        return item

    async def _edit(
        self, row: RowMapping, change: JobChange, if_match: str | None, author: Author
    ) -> JsonObject:
        """Change an object as it is now; where somebody else was faster, as it is then."""
        for left in reversed(range(TRIES)):
            item = await self._read(row)
            check_match(item, if_match)
            changed = change(item)
            if changed == item:
                return item
            operations = manifests.build_operations(item, manifests.sign(changed, author))
            try:
                return await self.services.client.patch_json(
                    SCHEDULED_JOBS, row["namespace"], row["resource_name"], operations
                )
            except ApiError as error:
                if error.status != 409 or left == 0:
                    raise translate_refusal(error) from error
        raise AssertionError("the last try returns or raises")

    async def _store(self, item: JsonObject, function_id: int) -> WrittenJob:
        """Let the caller read what was written; the answer is the object's even if that fails."""
        try:
            async with self.services.engine.begin() as connection:
                await take_answers(connection, [(ObjectKind.SCHEDULED_JOB, item)], self.services.read_clock())
                row = await repository.find_job(connection, UUID(item["metadata"]["uid"]))
            if row is not None:
                return WrittenJob(ScheduledJobRead.model_validate(row), row["etag"])
        except SQLAlchemyError as error:
            log.warning("a job that was written is not in the database yet", kind=type(error).__name__)
        answer = describe_unstored(item, function_id, self.services.read_clock())
        return WrittenJob(answer, build_etag(item["metadata"]))

    async def _read_repeated(self, ns: str, name: str, now: datetime) -> JsonObject:
        item = await self.services.client.get(SCHEDULED_JOBS, ns, name)
        check_repeat(item, now)
        return item

    def _author(self) -> Author:
        return Author(self.caller.identity.uid, self.caller.identity.name, self.services.read_clock())

    def _name_job(self, shown: str, ns: str, key: str | None) -> str:
        if key is not None:
            return manifests.build_keyed_name("job", ns, str(self.caller.identity.uid), key)
        return f"{manifests.build_slug(shown)}-{secrets.token_hex(4)}"


def switch(item: JsonObject, enabled: bool, author: Author) -> JsonObject:  # noqa: FBT001 - the contract's field
    """Enable or disable a copy of a job: by its pause where Git owns the spec, else by spec.suspend.

    Raises Problem 409 where Git keeps it suspended.
    """
    keeper = _find_keeper(item)
    if enabled and keeper and item["spec"].get("suspend"):
        raise HTTPProblem(409, f"{keeper} keeps this job suspended; change spec.suspend in its source")
    if enabled:
        return manifests.enable(item) if is_off(item) else item
    return manifests.pause(item, author) if keeper else manifests.suspend(item)


def is_off(item: JsonObject) -> bool:
    """Tell whether a job is suspended, or has the mark of a pause that may have ended."""
    annotations = item["metadata"].get("annotations") or {}
    return bool(item["spec"].get("suspend")) or names.PAUSED in annotations


def check_owner(item: JsonObject) -> None:
    """Check that no tool would undo a change; raises Problem 409 with its name."""
    keeper = _find_keeper(item)
    if keeper:
        raise HTTPProblem(409, f"this job is managed by {keeper}; change it in its source")


def check_match(item: JsonObject, if_match: str | None) -> None:
    """Check an If-Match header against the object as it is now; raises Problem 412."""
    if if_match is None or if_match.strip() == "*":
        return
    wanted = {tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(",")}
    if build_etag(item["metadata"]) not in wanted:
        raise HTTPProblem(412, "the job was changed meanwhile; read it again")


def check_repeat(item: JsonObject, now: datetime) -> None:
    """Check that an Idempotency-Key still stands for an object; raises Problem 409."""
    created_at = datetime.fromisoformat(item["metadata"]["creationTimestamp"])
    if now - created_at > REPEAT_WITHIN:
        raise HTTPProblem(409, "this Idempotency-Key was used more than 24 hours ago; use another one")


def _find_keeper(item: JsonObject) -> str | None:
    metadata = item["metadata"]
    return find_gitops_tool(metadata.get("labels") or {}, metadata.get("annotations") or {})
