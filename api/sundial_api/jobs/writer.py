"""What is written of jobs: each write goes to the custom resource, and its answer becomes a row at once.

The database is asked first: with it away nothing is touched. If it goes away afterwards, the write has
happened, and the answer is built from the object.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from sundial_api.db.fetch import Row
from sundial_api.deps import CallerAccess, Services
from sundial_api.http.errors import HTTPProblem, Invalid
from sundial_api.http.json_values import is_same_json
from sundial_api.http.refusals import translate_refusal
from sundial_api.jobs import edits, manifests, repository, service
from sundial_api.jobs.manifests import Author
from sundial_api.jobs.patches import build_patch, list_changes
from sundial_api.jobs.repeats import build_keyed_name, check_repeat, digest_request
from sundial_api.jobs.schemas import ScheduledJobCreate, ScheduledJobRead, ScheduledJobUpdate
from sundial_api.jobs.shown import ShownJob, find_shown
from sundial_api.jobs.unsaved import describe_unstored, inherit_timeout
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.projection.scheduled_jobs import build_etag
from sundial_api.mirror.storage.change_log import ApiCaller, sign_deletion
from sundial_api.mirror.storage.own_writes import (
    ApiWrite,
    next_version,
    sign_answer,
    take_answers,
    take_deletion,
)
from sundial_api.task_functions import repository as functions
from sundial_clock.sentences import say
from sundial_core.resources.gitops import find_gitops_tool
from sundial_core.resources.raw import JsonObject
from sundial_kube.errors import ApiError
from sundial_kube.resources import SCHEDULED_JOBS, TASK_FUNCTIONS

log = structlog.get_logger()

TRIES = 3
OUTRUN = say("somebody else changes it at the same time; try again")

JobChange = Callable[[JsonObject, ShownJob], JsonObject]
"""What an edit makes of an object, given how that is shown."""
SignedChange = Callable[[JsonObject, Author], JsonObject]


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
        """Create a job; a repeat with the same key gives the one that is there.

        Raises Problem 409 and Invalid, also for a key that was used for another body.
        """
        function = await self._find_function(body.task_function_id)
        if function is None:
            raise Invalid(("body", "taskFunctionId"), say("is no task function; see GET /task-functions"))
        ns: str = function["namespace"]
        await self.caller.require("create", SCHEDULED_JOBS, ns)
        name, digest = self._name_job(body, ns, key)
        known = await self._find_repeated(ns, name, digest)
        item = known or await self._create(body, function, name, digest)
        write = ApiWrite(self._signature, None) if known is None else None
        return await self._store(item, function["id"], inherit_timeout(function), write)

    async def _create(
        self, body: ScheduledJobCreate, function: Row, name: str, digest: str | None
    ) -> JsonObject:
        """Create a ScheduledJob; of two requests with one key the second takes the first one's."""
        author, ns = self._author(), function["namespace"]
        spec = edits.build_spec(body, function, self.services.settings.time_zone, author.now)
        manifest = manifests.build_scheduled_job(ns, name, spec, author, digest)
        try:
            return await self.services.client.create(SCHEDULED_JOBS, ns, manifest)
        except ApiError as error:
            known = await self._find_repeated(ns, name, digest) if error.reason == "AlreadyExists" else None
            if known is None:
                raise translate_refusal(error) from error
            return known

    async def _find_repeated(self, ns: str, name: str, digest: str | None) -> JsonObject | None:
        """Find what was made with an Idempotency-Key before; without a key (and digest) nothing was."""
        if digest is None:
            return None
        try:
            known = await self.services.client.get_or_none(SCHEDULED_JOBS, ns, name)
        except ApiError as error:
            raise translate_refusal(error) from error
        if known is not None:
            check_repeat(known, self.services.read_clock(), digest)
        return known

    async def update(self, job_id: UUID, body: ScheduledJobUpdate, if_match: str | None) -> WrittenJob:
        """Change what is wanted otherwise than it is shown; raises Problem 404, 409, 412 and Invalid."""
        row = await self._get_permitted(job_id, "patch")
        wanted = await self._find_function(body.task_function_id, row["namespace"])
        edits.check_namespace(body.namespace, row)
        author = self._author()

        def change(item: JsonObject, shown: ShownJob) -> JsonObject:
            spec = edits.apply_update(item, body, shown, wanted, author.now)
            if not is_same_json(spec, item["spec"]):
                check_owner(item)
            changed = item | {"spec": spec}
            return changed if body.is_enabled is None else switch(changed, shown, body.is_enabled, author)

        return await self._edit(row, change, if_match, author, wanted)

    async def toggle(self, job_id: UUID, enabled: bool, if_match: str | None) -> WrittenJob:  # noqa: FBT001 - the contract's field
        """Enable or disable a job."""
        row = await self._get_permitted(job_id, "patch")
        author = self._author()
        return await self._edit(
            row, lambda item, shown: switch(item, shown, enabled, author), if_match, author
        )

    async def change(self, job_id: UUID, change: SignedChange, if_match: str | None) -> WrittenJob:
        """Change a job in one way; raises Problem 404, 409, 412 and what the change raises."""
        row = await self._get_permitted(job_id, "patch")
        author = self._author()
        return await self._edit(row, lambda item, _: change(item, author), if_match, author)

    async def delete(self, job_id: UUID, if_match: str | None) -> None:
        """Delete a job and, in the background, what it started."""
        row = await self._get_permitted(job_id, "delete")
        item, shown = await self._read_shown(row)
        edits.check_may_leave(shown.function)
        check_match(item, if_match)
        check_owner(item)
        is_ours = await self._delete(row)
        try:
            async with self.services.engine.begin() as connection:
                await take_deletion(
                    connection, ObjectKind.SCHEDULED_JOB, next_version(item), self.services.read_clock()
                )
                if is_ours:
                    await sign_deletion(connection, str(row["id"]), self._signature)
        except SQLAlchemyError as error:
            log.warning("a deletion is not in the database yet", kind=type(error).__name__)

    async def _delete(self, row: Row) -> bool:
        """Delete a job's object; tells whether this did it, or it was gone by then."""
        try:
            await self.services.client.delete(
                SCHEDULED_JOBS, row["namespace"], row["resource_name"], str(row["id"])
            )
        except ApiError as error:
            if error.status not in (404, 409):
                raise translate_refusal(error) from error
            return False
        return True

    async def _get_permitted(self, job_id: UUID, verb: str) -> Row:
        async with self.services.engine.begin() as connection:
            row = await service.get_job(connection, job_id)
        await self.caller.require(verb, SCHEDULED_JOBS, row["namespace"])
        return row

    async def _find_function(self, function_id: int | None, own_ns: str | None = None) -> Row | None:
        """Find a task function that the caller may know of: its id can be computed from its name."""
        if function_id is None:
            return None
        async with self.services.engine.begin() as connection:
            found = await functions.find_function(connection, function_id)
        if found is None or found["namespace"] == own_ns:
            return found
        rights = (("list", TASK_FUNCTIONS), ("create", SCHEDULED_JOBS))
        is_known = any([await self.caller.may(verb, kind, found["namespace"]) for verb, kind in rights])
        return found if is_known else None

    async def _read(self, row: Row) -> JsonObject:
        """Read a job's object, uncached; another one of that name is not it."""
        try:
            item = await self.services.client.get(SCHEDULED_JOBS, row["namespace"], row["resource_name"])
        except ApiError as error:
            raise translate_refusal(error) from error
        if item["metadata"]["uid"] != str(row["id"]) or "deletionTimestamp" in item["metadata"]:
            raise HTTPProblem(404, say("there is no job of that id any more"))
        return item

    async def _read_shown(self, row: Row) -> tuple[JsonObject, ShownJob]:
        """Read a job's object, and how answers show it; again where the database knows a newer one."""
        for _ in range(TRIES):
            item = await self._read(row)
            async with self.services.engine.begin() as connection:
                shown = await find_shown(connection, item, self.services.read_clock())
            if shown is not None:
                return item, shown
        raise HTTPProblem(409, OUTRUN)

    async def _edit(
        self,
        row: Row,
        change: JobChange,
        if_match: str | None,
        author: Author,
        wanted: Row | None = None,
    ) -> WrittenJob:
        """Change an object as it is now; where somebody else was faster, as it is then.

        `wanted` is the task function that the job has afterwards, where that is said.
        """
        for _ in range(TRIES):
            item, shown = await self._read_shown(row)
            check_match(item, if_match)
            changed = change(item, shown)
            if not list_changes(item, changed):
                return WrittenJob(shown.job, build_etag(item["metadata"]))
            patch = build_patch(item, manifests.sign(item, changed, author))
            try:
                ns, name = row["namespace"], row["resource_name"]
                written = await self.services.client.patch_json(SCHEDULED_JOBS, ns, name, patch)
            except ApiError as error:
                if error.status != 409 and not error.is_failed_patch:
                    raise translate_refusal(error) from error
            else:
                function = wanted or shown.function
                function_id = shown.job.task_function_id if function is None else function["id"]
                write = ApiWrite(self._signature, item)
                return await self._store(written, function_id, inherit_timeout(function), write)
        raise HTTPProblem(409, OUTRUN)

    @property
    def _signature(self) -> ApiCaller:
        return ApiCaller(self.caller.identity.uid, self.caller.identity.name, self.caller.address)

    async def _store(
        self, item: JsonObject, function_id: int, inherited_seconds: int, write: ApiWrite | None = None
    ) -> WrittenJob:
        """Let the caller read what was written; the answer is the object's even if that fails.

        `write` is what was written just now, if anything was.
        """
        now = self.services.read_clock()
        try:
            async with self.services.engine.begin() as connection:
                await take_answers(connection, [(ObjectKind.SCHEDULED_JOB, item)], now)
                if write is not None:
                    await sign_answer(connection, item, write, now)
                row = await repository.find_job(connection, UUID(item["metadata"]["uid"]))
            if row is not None:
                return WrittenJob(ScheduledJobRead.model_validate(row), row["etag"])
        except SQLAlchemyError as error:
            log.warning("a job that was written is not in the database yet", kind=type(error).__name__)
        answer = describe_unstored(item, function_id, inherited_seconds, self.services.read_clock())
        return WrittenJob(answer, build_etag(item["metadata"]))

    def _author(self) -> Author:
        return Author(self.caller.identity.uid, self.caller.identity.name, self.services.read_clock())

    def _name_job(self, body: ScheduledJobCreate, ns: str, key: str | None) -> tuple[str, str | None]:
        """Name a new job's resource, with a digest of the request where that may be repeated."""
        if key is None:
            return f"{manifests.build_slug(body.name)}-{secrets.token_hex(4)}", None
        name = build_keyed_name("job", ns, str(self.caller.identity.uid), key)
        return name, digest_request(key, body)


def switch(
    item: JsonObject,
    shown: ShownJob,
    enabled: bool,  # noqa: FBT001 - the contract's field
    author: Author,
) -> JsonObject:
    """Enable or disable a copy of a job: by its pause where Git owns the spec, else by spec.suspend.

    Raises Problem 409 where Git keeps it suspended.
    """
    if enabled == shown.job.is_enabled:
        return item
    keeper = _find_keeper(item)
    if enabled and keeper and item["spec"].get("suspend"):
        raise HTTPProblem(
            409, say("{keeper} keeps this job suspended; change spec.suspend in its source", keeper=keeper)
        )
    if enabled:
        return manifests.enable(item)
    return manifests.pause(item, author) if keeper else manifests.suspend(item)


def check_owner(item: JsonObject) -> None:
    """Check that no tool would undo a change; raises Problem 409 with its name."""
    keeper = _find_keeper(item)
    if keeper:
        raise HTTPProblem(409, say("this job is managed by {keeper}; change it in its source", keeper=keeper))


def check_match(item: JsonObject, if_match: str | None) -> None:
    """Check an If-Match header against the object as it is now; raises Problem 412."""
    if if_match is None or if_match.strip() == "*":
        return
    wanted = {tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(",")}
    if build_etag(item["metadata"]) not in wanted:
        raise HTTPProblem(412, say("the job was changed meanwhile; read it again"))


def _find_keeper(item: JsonObject) -> str | None:
    metadata = item["metadata"]
    return find_gitops_tool(metadata.get("labels") or {}, metadata.get("annotations") or {})
