"""A session of the mirror whose watches a test fills; feed and writer are the product's own."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kubernetes.aio.client import Configuration
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncConnection

from sundial_api.mirror.feed import Feed, WatchScope
from sundial_api.mirror.metrics import MirrorMetrics
from sundial_api.mirror.projection.batches import ObjectKind
from sundial_api.mirror.row_writer import RowWriter
from sundial_api.mirror.storage.log_tails import LogPurpose
from sundial_api.mirror.storage.transactions import MirrorTransactions
from sundial_kube.client import KubeClient

NOW = datetime(2026, 1, 2, tzinfo=UTC)
EPOCH = 1
NONE: frozenset[LogPurpose] = frozenset()


@dataclass
class Watch:
    """A watch of a kind: what it has yet to tell, and up to which version its sink has everything."""

    resource_version: int | None = None
    events: deque[tuple[str, dict[str, Any]]] = field(default_factory=deque)


SCOPE = WatchScope((), "system", "sundial")


class Session:
    """One session of the mirror: a feed that a test fills, and the product's own writer."""

    def __init__(self, connection: AsyncConnection, purposes: frozenset[LogPurpose] = NONE) -> None:
        self.feed = Feed(KubeClient(Configuration()), SCOPE, EPOCH)
        self.watches = {kind: Watch() for kind in ObjectKind}
        self.feed.reflectors = {place: self.watches[place[0]] for place in self.feed.places}  # type: ignore[misc]
        self.transactions = MirrorTransactions(connection)
        metrics = MirrorMetrics(CollectorRegistry())
        self.rows = RowWriter(self.transactions, _never_list, metrics, lambda: NOW, purposes)

    def list(self, kind: ObjectKind, items: list[dict[str, Any]], version: int) -> None:
        """Take a complete list."""
        sink = self.feed.sinks[kind]
        for item in items:
            sink.put(item)
        sink.retain({item["metadata"]["uid"] for item in items}, version, SCOPE.list_places(kind)[0])
        self.watches[kind].resource_version = version

    def tell(self, kind: ObjectKind, most: int) -> None:
        """Let a watch tell its oldest events."""
        watch, sink = self.watches[kind], self.feed.sinks[kind]
        for _ in range(min(most, len(watch.events))):
            verb, item = watch.events.popleft()
            watch.resource_version = int(item["metadata"]["resourceVersion"])
            (sink.remove if verb == "DELETED" else sink.put)(item)


async def _never_list(kind: ObjectKind) -> frozenset[str]:
    raise AssertionError(f"a second list of {kind} was asked for")
