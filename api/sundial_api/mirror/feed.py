"""What has changed in the cluster and is not written yet? Reflectors fill it, batches are cut from it.

Of each object only the newest state waits, oldest change first. A complete list waits as a mark: it is
compared when all that came before it is written.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sundial_api.mirror.projection.batches import (
    Absence,
    ObjectKey,
    ObjectKind,
    Value,
    parse_deleted,
    parse_object,
)
from sundial_api.mirror.projection.instances import is_member
from sundial_api.mirror.projection.rejects import Origin, Reject, read_origin
from sundial_api.mirror.projection.scheduled_jobs import ScheduleFact
from sundial_api.mirror.projection.versions import Version
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject
from sundial_kube.client import KubeClient
from sundial_kube.reflector import Reflector
from sundial_kube.resources import (
    JOBS,
    LEASES,
    PODS,
    SCHEDULED_JOB_RUNS,
    SCHEDULED_JOBS,
    TASK_FUNCTIONS,
    Resource,
)

MAX_BATCH = 500
MAX_WEIGHT = 20_000
"""How many entries of `recentSlots` a batch has at most, unless one object has more: each may be a run."""
MAX_WAIT_SECONDS = 0.1
"""How long a change waits for others to go with it."""

RESOURCES: Mapping[ObjectKind, Resource] = {
    ObjectKind.TASK_FUNCTION: TASK_FUNCTIONS,
    ObjectKind.SCHEDULED_JOB: SCHEDULED_JOBS,
    ObjectKind.SCHEDULED_JOB_RUN: SCHEDULED_JOB_RUNS,
    ObjectKind.JOB: JOBS,
    ObjectKind.POD: PODS,
    ObjectKind.LEASE: LEASES,
}
OWN_KINDS = (ObjectKind.TASK_FUNCTION, ObjectKind.SCHEDULED_JOB, ObjectKind.SCHEDULED_JOB_RUN)
"""Listed first: what they say of runs is there when the Jobs come."""


@dataclass(frozen=True, slots=True)
class WatchScope:
    """What is mirrored: these namespaces or all (none), and the installation whose replicas are shown."""

    watched: tuple[str, ...]
    installation_ns: str
    release: str

    def list_places(self, kind: ObjectKind) -> Sequence[str | None]:
        """List the namespaces in which a kind is watched, None for all of them."""
        return (self.installation_ns,) if kind is ObjectKind.LEASE else self.watched or (None,)


Place = tuple[ObjectKind, str | None]
"""A kind in one namespace, or (None) in all."""


@dataclass(frozen=True, slots=True)
class FeedChange:
    """The newest state of an object; `number` counts changes, `seen_at` is when the oldest of it came."""

    key: ObjectKey
    origin: Origin
    value: Value
    is_deletion: bool
    number: int
    seen_at: float


@dataclass(frozen=True, slots=True)
class FeedBatch:
    """What is to be written together; `marks` are the versions up to which all is then written."""

    changes: tuple[FeedChange, ...]
    marks: Mapping[ObjectKind, int]


class Feed:
    """Follows the cluster from one epoch on; `run` runs its reflectors."""

    def __init__(self, client: KubeClient, scope: WatchScope, epoch: int) -> None:
        self.epoch = epoch
        self._scope = scope
        self._waiting: dict[ObjectKey, FeedChange] = {}
        self._lists: deque[tuple[int, Absence]] = deque()
        self._narrowed: set[ObjectKind] = set()
        self._numbered = 0
        self._work = asyncio.Event()
        self.sinks = {kind: FeedSink(self, kind, self._is_ours) for kind in ObjectKind}
        self.places: tuple[Place, ...] = tuple(
            (kind, ns) for kind in ObjectKind for ns in scope.list_places(kind)
        )
        self.reflectors = {place: self._build_reflector(client, *place) for place in self.places}

    def __len__(self) -> int:
        return len(self._waiting)

    async def run(self) -> None:
        """Follow our own kinds, then Jobs, then what is told by them: a Pod counts through its Job."""
        async with asyncio.TaskGroup() as group:
            await self._begin(group, *OWN_KINDS)
            await self._begin(group, ObjectKind.JOB, ObjectKind.LEASE)
            await self._begin(group, ObjectKind.POD)

    async def _begin(self, group: asyncio.TaskGroup, *kinds: ObjectKind) -> None:
        """Follow kinds from now on, and wait for their lists; nothing waits for the replicas' Leases."""
        for (kind, _), reflector in self.reflectors.items():
            if kind in kinds:
                group.create_task(reflector.run())
        for (kind, _), reflector in self.reflectors.items():
            if kind in kinds and kind is not ObjectKind.LEASE:
                await reflector.synced.wait()

    async def wait(self, timeout: float) -> None:
        """Wait until there is something to write, and then a moment for what goes with it."""
        try:
            async with asyncio.timeout(timeout):
                await self._work.wait()
        except TimeoutError:
            return
        if len(self._waiting) < MAX_BATCH and self._waiting:
            oldest = next(iter(self._waiting.values())).seen_at
            await asyncio.sleep(max(0.0, oldest + MAX_WAIT_SECONDS - time.monotonic()))

    def cut(self) -> FeedBatch:
        """Take the oldest changes; what they leave behind goes with the next."""
        changes = tuple(self._waiting.pop(key) for key in self._choose())
        marks = {} if self._waiting else self._list_marks()
        self._rest()
        return FeedBatch(changes, marks)

    def _choose(self) -> list[ObjectKey]:
        """Choose the oldest changes, up to a number of objects and to what they all tell."""
        keys: list[ObjectKey] = []
        weight = 0
        for key, change in self._waiting.items():
            weight += _weigh(change.value)
            if keys and (len(keys) >= MAX_BATCH or weight > MAX_WEIGHT):
                break
            keys.append(key)
        return keys

    def take_lists(self) -> list[Absence]:
        """Take the complete lists of which all objects have been cut."""
        first = next((change.number for change in self._waiting.values()), self._numbered + 1)
        taken = []
        while self._lists and self._lists[0][0] < first:
            taken.append(self._lists.popleft()[1])
        self._rest()
        return taken

    def find_written_until(self) -> float | None:
        """Find the instant (monotonic) up to which all that was there has been cut; None while lists wait.

        Of a kind that is quiet a bookmark tells, about once a minute, that nothing was missed.
        """
        if self._lists:
            return None
        heard = [reflector.heard_at for reflector in self.reflectors.values()]
        waiting = next(iter(self._waiting.values()), None)
        return min(heard) if waiting is None else min(*heard, waiting.seen_at)

    def _list_marks(self) -> dict[ObjectKind, int]:
        """List up to which version all of a kind has come: of several namespaces, in the last one of them."""
        marks: dict[ObjectKind, int] = {}
        unlisted = set()
        for (kind, _), reflector in self.reflectors.items():
            version = reflector.resource_version
            if version is None:
                unlisted.add(kind)
            else:
                marks[kind] = min(version, marks.get(kind, version))
        return {kind: version for kind, version in marks.items() if kind not in unlisted}

    def _rest(self) -> None:
        if not self._waiting and not self._lists:
            self._work.clear()

    def _build_reflector(self, client: KubeClient, kind: ObjectKind, ns: str | None) -> Reflector:
        selector = names.SCHEDULED_JOB_UID if kind in (ObjectKind.JOB, ObjectKind.POD) else ""
        return Reflector(client, RESOURCES[kind], self.sinks[kind], selector=selector, ns=ns)

    def _is_ours(self, kind: ObjectKind, item: JsonObject) -> bool:
        """Tell whether an object is to be taken: of the Leases the leader's and the replicas' are."""
        is_leader = item["metadata"].get("name") == self._scope.release
        return kind is not ObjectKind.LEASE or is_leader or is_member(item)

    def put(self, kind: ObjectKind, item: JsonObject, value: Value, *, is_deletion: bool = False) -> None:
        """Note what an object says now, in the place of what it said before."""
        key = (kind, item["metadata"]["uid"])
        self._numbered += 1
        known = self._waiting.get(key)
        seen_at = known.seen_at if known is not None else time.monotonic()
        number = known.number if known is not None else self._numbered
        origin = read_origin(kind.value, item, self.epoch)
        self._waiting[key] = FeedChange(key, origin, value, is_deletion, number, seen_at)
        self._work.set()

    def end_list(self, kind: ObjectKind, listed: set[str], resource_version: int, ns: str | None) -> None:
        """Note that a list is complete; with the first one of a kind goes what is watched no longer."""
        version = Version(self.epoch, resource_version)
        if ns is not None and kind is not ObjectKind.LEASE and kind not in self._narrowed:
            self._narrowed.add(kind)
            others = Absence(kind, version, frozenset(), excepted=self._scope.watched)
            self._lists.append((self._numbered, others))
        self._lists.append((self._numbered, Absence(kind, version, frozenset(listed), ns)))
        self._work.set()


class FeedSink:
    """Takes what a reflector brings of one kind."""

    def __init__(self, feed: Feed, kind: ObjectKind, takes: Callable[[ObjectKind, JsonObject], bool]) -> None:
        self._feed = feed
        self._kind = kind
        self._takes = takes

    def put(self, item: JsonObject) -> None:
        """Take an object that is there."""
        if self._takes(self._kind, item):
            self._feed.put(self._kind, item, parse_object(self._kind, item, self._feed.epoch))

    def remove(self, item: JsonObject) -> None:
        """Take the last state of an object that was deleted."""
        if self._takes(self._kind, item):
            gone = parse_deleted(self._kind, item, self._feed.epoch)
            self._feed.put(self._kind, item, gone, is_deletion=True)

    def retain(self, listed: set[str], resource_version: int, ns: str | None) -> None:
        """Take the UIDs of a complete list."""
        self._feed.end_list(self._kind, listed, resource_version, ns)


def _weigh(value: Value) -> int:
    return 1 + len(value.row.recent_slots) if isinstance(value, ScheduleFact) else 1


def is_reject(change: FeedChange) -> bool:
    """Tell whether a change could not be read."""
    return isinstance(change.value, Reject)
