"""Brings the runner into each namespace that needs it, before a run does: a ConfigMap, made once.

The rule: docs/semantics.md, "The runner in a namespace". What is there already was made by a leader before,
or applied by people: its name tells what it holds, and each Job checks that.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial

import structlog

from sundial_core.coordination.backoff import Backoff
from sundial_core.resources.messages import trim_message
from sundial_core.resources.names import build_runner_name
from sundial_core.resources.raw import JsonObject
from sundial_core.runs.runner_archive import RunnerArchive
from sundial_core.runs.runner_config_maps import build_config_map
from sundial_core.status.task_functions import DeliveredRunner
from sundial_kube.client import KubeClient
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.jitter import with_jitter
from sundial_kube.resources import CLUSTER_ROLES, CONFIG_MAPS, ROLES
from sundial_operator.inputs.stores import Stores
from sundial_operator.outputs.write_queue import Priority, WriteQueue
from sundial_operator.settings import OperatorSettings

log = structlog.get_logger()

LOOK_SECONDS = 1.0
AGAIN_SECONDS = 3600.0
"""How often one that is there is created again, in vain: somebody may have deleted it."""

STUCK_AGAIN_SECONDS = 30.0
"""How often while a Pod waits: most wait for an image."""

BACKOFF = Backoff(first_seconds=5.0, max_seconds=120.0)
PASSING = (408, 409, 429, *range(500, 600))
"""Answers that say nothing of what is permitted."""


@dataclass(slots=True)
class Delivery:
    """What is known of the ConfigMap in one namespace; times are seconds of a monotonic clock."""

    is_there: bool = False
    refusal: str = ""
    failures: int = 0
    tried_at: float = 0.0
    due_at: float = 0.0
    is_under_way: bool = False

    def is_due(self, now: float, stuck_at: float | None) -> bool:
        """Tell whether it is to be created now; `stuck_at` is when the last Pod had waited for too long."""
        is_stuck = stuck_at is not None and (
            self.tried_at < stuck_at or now - self.tried_at >= STUCK_AGAIN_SECONDS
        )
        return not self.is_under_way and (is_stuck or now >= self.due_at)


class RunnerDelivery:
    """The leader's part: creates the ConfigMap, and knows where it is and where it may not be created."""

    def __init__(
        self,
        client: KubeClient,
        writer: WriteQueue,
        stores: Stores,
        settings: OperatorSettings,
        archive: RunnerArchive,
    ) -> None:
        self._client = client
        self._writer = writer
        self._index = stores.function_index
        self._pods = stores.runner_pods
        self._is_ours = settings.runner_config_maps
        self._is_namespaced = bool(settings.watch_namespaces)
        self._owner_name = settings.own_role
        self._archive = archive
        self._name = build_runner_name(archive.digest)
        self._known: dict[str, Delivery] = {}
        self._stuck: dict[str, float] = {}

    def find(self, ns: str) -> DeliveredRunner | None:
        """Tell of the runner in a namespace; None while no answer has told whether it is there.

        One that others apply is taken to be there: a run that waits for it in vain says so.
        """
        if not self._is_ours:
            return DeliveredRunner(self._name)
        delivery = self._known.get(ns)
        if delivery is None or not (delivery.is_there or delivery.refusal):
            return None
        return DeliveredRunner(self._name, delivery.refusal)

    async def run(self) -> None:
        """Look for ever which namespaces need it, unless others apply it."""
        while True:
            if self._is_ours:
                self._look(time.monotonic())
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self, now: float) -> None:
        self._stuck = self._pods.list_stuck()
        wanted = self._index.list_runner_namespaces() | self._stuck.keys()
        self._known = {ns: self._known.get(ns) or Delivery() for ns in wanted}
        proved, self._pods.proved = self._pods.proved, set()
        for ns in proved & self._known.keys():
            self._note_there(ns, self._known[ns])
        for ns, delivery in self._known.items():
            if delivery.is_due(now, self._stuck.get(ns)):
                delivery.is_under_way, delivery.due_at = True, now + BACKOFF.max_seconds
                self._writer.submit(Priority.STATUS, ns, partial(self._deliver, ns, delivery))

    async def _deliver(self, ns: str, delivery: Delivery) -> None:
        try:
            await self._create(ns)
        except (ApiUnreachable, NotLeading):
            self._postpone(delivery)
        except ApiError as error:
            if error.status == 409 and error.reason == "AlreadyExists":
                self._note_there(ns, delivery)
                return
            self._postpone(delivery)
            if error.status not in PASSING:
                self._note_refused(ns, delivery, str(error))
        else:
            log.info("runner delivered", namespace=ns, config_map=self._name)
            self._note_there(ns, delivery)
        finally:
            delivery.is_under_way, delivery.tried_at = False, time.monotonic()

    async def _create(self, ns: str) -> None:
        """Create it; an owner that may not be named is not worth a namespace without it."""
        owner = await self._find_owner(ns)
        try:
            await self._client.create(CONFIG_MAPS, ns, build_config_map(self._archive, ns, owner))
        except ApiError as error:
            if owner is None or error.status not in (403, 422):
                raise
            await self._client.create(CONFIG_MAPS, ns, build_config_map(self._archive, ns))

    async def _find_owner(self, ns: str) -> JsonObject | None:
        """Read the operator's role, with which the ConfigMap is to go; each time, for its UID may change."""
        resource, place = (ROLES, ns) if self._is_namespaced else (CLUSTER_ROLES, None)
        try:
            return await self._client.get(resource, place, self._owner_name)
        except (ApiError, ApiUnreachable):
            return None

    def _postpone(self, delivery: Delivery) -> None:
        delivery.failures += 1
        delivery.due_at = time.monotonic() + with_jitter(BACKOFF.after(delivery.failures))

    def _note_there(self, ns: str, delivery: Delivery) -> None:
        is_news = not delivery.is_there
        delivery.is_there, delivery.refusal, delivery.failures = True, "", 0
        delivery.due_at = time.monotonic() + AGAIN_SECONDS
        if is_news:
            self._index.touch_namespace(ns)

    def _note_refused(self, ns: str, delivery: Delivery, error: str) -> None:
        """Take a refusal; where it was there, it still is unless a Pod waits for it."""
        if delivery.is_there and ns not in self._stuck:
            return
        refusal = trim_message(error)
        if delivery.refusal != refusal:
            log.warning("the runner may not be delivered", namespace=ns, config_map=self._name, error=error)
            delivery.is_there, delivery.refusal = False, refusal
            self._index.touch_namespace(ns)
