"""Keeps a store equal to a collection at the API server: a list, then a watch from there.

Uses streaming lists (watch-list), and paged ones where the API server has those switched off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Protocol

import structlog

from sundial_core.coordination.backoff import Backoff
from sundial_core.resources.raw import JsonObject
from sundial_kube.client import METADATA_LIST, KubeClient, parse_json
from sundial_kube.errors import GONE, ApiError, ApiUnreachable
from sundial_kube.jitter import with_jitter
from sundial_kube.resources import Resource

log = structlog.get_logger()

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
BACKOFF = Backoff(first_seconds=0.5, max_seconds=30.0)
MIN_WATCH_SECONDS = 5.0
"""A watch that ends sooner, for whatever reason, is trouble: begun anew at once it would load the server."""

WATCH_SECONDS = "1740"


class Sink(Protocol):
    """What takes a collection's objects; a Store does."""

    def put(self, item: JsonObject) -> None:
        """Take an object that is there."""

    def remove(self, item: JsonObject) -> None:
        """Take the last state of an object that was deleted."""

    def retain(self, listed: set[str], resource_version: int, ns: str | None) -> None:
        """Take the UIDs of a complete list (of all namespaces, or of `ns`), consistent at that version."""


class ClusterRestored(Exception):
    """The cluster was restored from an older state: what is known of it is of a future that never comes."""


class WatchExpired(Exception):
    """The watch's resourceVersion is too old: list again."""


class Reflector:
    """List and watch one collection (of all namespaces, or of `ns`) for as long as `run` runs.

    `synced` is set once the store has held a complete, consistent list. `heard_at` is when an event, a
    bookmark or a complete list last showed that the store is kept; an attempt that fails moves `stirred_at`.
    `run` and `list_consistently` raise WentBack when a consistent answer is older than what was known before;
    empty stores go on from there.
    """

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        store: Sink,
        *,
        selector: str = "",
        ns: str | None = None,
    ) -> None:
        self._client = client
        self._resource = resource
        self._ns = ns
        self._path = resource.path(ns)
        self._store = store
        self._selector = selector
        self._resource_version: str | None = None
        self._newest = 0
        self.synced = asyncio.Event()
        self.heard_at = self.stirred_at = time.monotonic()
        self.restarts = 0

    async def run(self) -> None:
        """Follow the collection until it goes back; connection trouble is waited out, never raised."""
        failures, self.stirred_at = 0, time.monotonic()
        while True:
            began_at, is_trouble = time.monotonic(), False
            try:
                await self._follow()
            except WatchExpired:
                self._resource_version = None
            except (ApiError, ApiUnreachable) as error:
                log.warning("watch interrupted", resource=self._resource.plural, error=str(error))
                is_trouble = True
            is_short = time.monotonic() - began_at < MIN_WATCH_SECONDS
            failures = failures if is_short else 0
            if is_short or is_trouble:
                failures += 1
                await asyncio.sleep(with_jitter(BACKOFF.after(failures)))
            self.restarts += 1
            self.stirred_at = time.monotonic()

    @property
    def resource_version(self) -> int | None:
        """Up to which version the sink has everything; none before the first list is complete."""
        return int(self._resource_version) if self._resource_version is not None else None

    @property
    def plural(self) -> str:
        """What it follows, as in paths."""
        return self._resource.plural

    async def list_consistently(self) -> None:
        """Replace the store's content by a list at least as new as this call; `run` goes on from there.

        Raises ApiError; ApiUnreachable also for a list that expired while it came.
        """
        known = self._newest
        try:
            listed = await self._list_stream()
        except WatchExpired as error:
            raise ApiUnreachable(f"the list of {self._resource.plural} has expired") from error
        except ApiError as error:
            if not _is_watch_list_refusal(error):
                raise
            listed = await self._list_pages()
        self._check_newest(listed, known)
        self._note(listed)
        self.synced.set()

    async def _follow(self) -> None:
        if self._resource_version is None:
            await self.list_consistently()
        elif self.restarts:
            known = self._newest
            page = await self._client.list_page(self._path, {"limit": "1"}, METADATA_LIST)
            self._check_newest(page["metadata"]["resourceVersion"], known)
        await self._watch_changes()

    def _check_newest(self, listed: str, known: int) -> None:
        """Check that a consistent answer is not older than what was known when it was asked for.

        After a restore a watch from the future is silent for ever.
        """
        if int(listed) < known:
            raise ClusterRestored(f"{self._resource.plural}: the cluster was restored from an older state")

    def _note(self, resource_version: str) -> None:
        self._resource_version = resource_version
        self._newest = max(self._newest, int(resource_version))
        self.heard_at = self.stirred_at = time.monotonic()

    async def _list_stream(self) -> str:
        query = self._query() | {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        listed: set[str] = set()
        async with self._client.stream(self._path, query) as lines:
            async for kind, item in _events(lines):
                self.stirred_at = time.monotonic()
                if kind == "BOOKMARK" and _ends_initial_events(item):
                    resource_version: str = item["metadata"]["resourceVersion"]
                    self._store.retain(listed, int(resource_version), self._ns)
                    return resource_version
                if kind == "DELETED":
                    listed.discard(item["metadata"]["uid"])
                    self._store.remove(item)
                else:
                    listed.add(item["metadata"]["uid"])
                    self._store.put(item)
        raise ApiUnreachable(f"the list of {self._resource.plural} ended early")

    async def _watch_changes(self) -> None:
        query = self._query() | {"resourceVersion": str(self._resource_version)}
        async with self._client.stream(self._path, query) as lines:
            async for kind, item in _events(lines):
                self._note(item["metadata"]["resourceVersion"])
                if kind == "DELETED":
                    self._store.remove(item)
                elif kind != "BOOKMARK":
                    self._store.put(item)

    async def _list_pages(self) -> str:
        query = {"labelSelector": self._selector} if self._selector else {}
        listed: set[str] = set()
        resource_version = ""
        async for page in self._client.list_pages(self._path, query):
            resource_version = page["metadata"]["resourceVersion"]
            for item in page["items"]:
                listed.add(item["metadata"]["uid"])
                self._store.put(item)
        self._store.retain(listed, int(resource_version), self._ns)
        return resource_version

    def _query(self) -> dict[str, str]:
        query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": WATCH_SECONDS}
        return query | ({"labelSelector": self._selector} if self._selector else {})


async def _events(lines: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, JsonObject]]:
    """Parse a watch's lines; an expired watch is an ERROR event in an answer of 200."""
    async for line in lines:
        event = parse_json(line, "watch")
        item: JsonObject = event["object"]
        if event["type"] == "ERROR":
            if item.get("code") == GONE:
                raise WatchExpired
            raise ApiError(int(item.get("code", 0)), str(item.get("reason")), str(item.get("message")))
        yield event["type"], item


def _ends_initial_events(item: JsonObject) -> bool:
    annotations = item["metadata"].get("annotations") or {}
    return annotations.get(INITIAL_EVENTS_END) == "true"


def _is_watch_list_refusal(error: ApiError) -> bool:
    """Tell an API server without streaming lists: it refuses `sendInitialEvents` as invalid."""
    return error.status in (400, 422) and "sendInitialEvents" in error.message
