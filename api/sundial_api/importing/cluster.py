"""How do planned resources get into the cluster? By server-side apply, as whoever runs the import.

Applied again they change nothing; a field that somebody else has written since stays theirs, and is told
(docs/migration.md, "Run it again").
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from sundial_api.importing.planning.resources import PlannedResource
from sundial_core.resources.names import IMPORTED_FROM
from sundial_core.resources.raw import JsonObject
from sundial_kube.client import DRY_RUN, KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable
from sundial_kube.login import load_configuration
from sundial_kube.resources import SCHEDULED_JOBS, TASK_FUNCTIONS, Resource

FIELD_MANAGER = "sundial-import"
AT_ONCE = 16
REQUEST_SECONDS = 60.0
CONFLICT, CREATED = 409, "create"


class ApplyOutcome(StrEnum):
    """What became, or would become, of a planned resource."""

    CREATED = CREATED
    CHANGED = "change"
    UNCHANGED = "nothing"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Application:
    """A planned resource, and what the API server made of it; `uid` is that of the object there."""

    planned: PlannedResource
    outcome: ApplyOutcome
    message: str = ""
    uid: str | None = None


@dataclass(frozen=True, slots=True)
class ApplyChoice:
    """What is wanted: whether anything is written, and whether jobs are switched on that the original ran."""

    writes: bool
    enables: bool


@asynccontextmanager
async def open_cluster() -> AsyncIterator[KubeClient]:
    """Log in by the kubeconfig; raises LoginError."""
    configuration = await load_configuration()
    async with KubeClient(configuration, user_agent=FIELD_MANAGER, request_seconds=REQUEST_SECONDS) as kube:
        yield kube


class Applier:
    """Applies planned resources, some at once."""

    def __init__(self, kube: KubeClient, choice: ApplyChoice) -> None:
        self._kube = kube
        self._choice = choice
        self._places = asyncio.Semaphore(AT_ONCE)

    async def apply_all(
        self, planned: Sequence[PlannedResource], advance: Callable[[], None]
    ) -> list[Application]:
        """Apply those that have a manifest; `advance` is called after each. Raises ApiUnreachable."""
        wanted = [one for one in planned if one.manifest is not None]
        known = await self._read_known({(one.resource, one.namespace) for one in wanted})

        async def apply(one: PlannedResource) -> Application:
            async with self._places:
                application = await self._apply(one, known.get((one.resource, one.namespace, one.name)))
            advance()
            return application

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(apply(one)) for one in wanted]
        return [task.result() for task in tasks]

    async def _read_known(
        self, places: Iterable[tuple[Resource, str]]
    ) -> Mapping[tuple[Resource, str, str], JsonObject]:
        known = {}
        for resource, ns in places:
            async for page in self._kube.list_pages(resource.path(ns), {}):
                for item in page["items"]:
                    known[resource, ns, item["metadata"]["name"]] = item
        return known

    async def _apply(self, planned: PlannedResource, live: JsonObject | None) -> Application:
        assert planned.manifest is not None
        if live is not None and not is_ours(planned, live):
            return Application(planned, ApplyOutcome.REFUSED, "an object of that name is there already")
        manifest = self._decide_suspension(planned, planned.manifest, live)
        dry_run = None if self._choice.writes else DRY_RUN
        try:
            applied = await self._kube.apply(planned.resource, manifest, FIELD_MANAGER, dry_run)
        except ApiError as error:
            uid = live["metadata"]["uid"] if live is not None else None
            return Application(planned, ApplyOutcome.REFUSED, describe_refusal(error), uid)
        uid = applied["metadata"]["uid"] if live is not None or self._choice.writes else None
        return Application(planned, compare(live, applied), uid=uid)

    def _decide_suspension(
        self, planned: PlannedResource, manifest: JsonObject, live: JsonObject | None
    ) -> JsonObject:
        """Leave what is there as it is; what the original ran is switched on where that is wanted."""
        if planned.resource is not SCHEDULED_JOBS:
            return manifest
        decided = copy.deepcopy(manifest)
        if planned.is_enabled and self._choice.enables:
            decided["spec"]["suspend"] = False
        elif live is not None:
            decided["spec"]["suspend"] = bool(live["spec"].get("suspend"))
        return decided


def is_ours(planned: PlannedResource, live: JsonObject) -> bool:
    """Tell whether an object is of the same row of the original."""
    annotations = live["metadata"].get("annotations") or {}
    return annotations.get(IMPORTED_FROM) == planned.original_id


def compare(live: JsonObject | None, applied: JsonObject) -> ApplyOutcome:
    """Tell what an apply did, or would do."""
    if live is None:
        return ApplyOutcome.CREATED
    return ApplyOutcome.UNCHANGED if _show(live) == _show(applied) else ApplyOutcome.CHANGED


def _show(item: JsonObject) -> tuple[object, object]:
    return item["spec"], item["metadata"].get("annotations")


def describe_refusal(error: ApiError) -> str:
    """Say why the API server took an object not, and whose a field is."""
    if error.status == CONFLICT:
        return f"changed by somebody else since, and left as it is: {error.message}"
    return error.message


async def find_obstacle(kube: KubeClient) -> str | None:
    """Say why nothing can be applied at all; None when the API server knows our kinds."""
    try:
        await kube.list_page(TASK_FUNCTIONS.path(), {"limit": "1"})
    except ApiError as error:
        if error.status == 404:
            return "the cluster has no TaskFunctions: apply crds/ first"
    except ApiUnreachable as error:
        return f"the API server gave no answer: {error}"
    return None
