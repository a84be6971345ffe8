"""Finds what a watch has lost, by a list of metadata only, and fetches just that."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sundial_core.resources.raw import JsonObject
from sundial_kube.client import METADATA_LIST, KubeClient
from sundial_kube.resources import Resource
from sundial_kube.store import Store


class Relist:
    """Compares the store of one kind (in all namespaces, or in `ns`) with the API server."""

    def __init__(
        self, client: KubeClient, resource: Resource, store: Store[Any], ns: str | None = None
    ) -> None:
        self._client = client
        self._resource = resource
        self._ns = ns
        self._path = resource.path(ns)
        self._store = store

    @property
    def kind(self) -> str:
        """The kind of its objects."""
        return self._resource.kind

    async def repair(self, settle_seconds: float) -> int:
        """Fetch what differs, drop what is gone; returns how many objects that were.

        The watch gets `settle_seconds` to tell what the list has seen. Raises ApiError, ApiUnreachable.
        """
        listed, resource_version = await self._list()
        await asyncio.sleep(settle_seconds)
        repaired = 0
        for uid, metadata in listed.items():
            if self._is_behind(uid, metadata):
                repaired += await self._fetch(uid, metadata)
        known = len(self._store)
        self._store.retain(set(listed), resource_version, self._ns)
        return repaired + known - len(self._store)

    async def _list(self) -> tuple[dict[str, JsonObject], int]:
        """List the metadata of all objects, by UID, and the resourceVersion of the list."""
        listed: dict[str, JsonObject] = {}
        resource_version = 0
        async for page in self._client.list_pages(self._path, {}, METADATA_LIST):
            resource_version = int(page["metadata"]["resourceVersion"])
            listed |= {item["metadata"]["uid"]: _keep(item["metadata"]) for item in page["items"]}
        return listed, resource_version

    def _is_behind(self, uid: str, metadata: Mapping[str, Any]) -> bool:
        known = self._store.get(uid)
        return known is None or known.resource_version < int(metadata["resourceVersion"])

    async def _fetch(self, uid: str, metadata: Mapping[str, Any]) -> bool:
        """Read an object; tell whether that was news. What does not parse or is gone by now is none."""
        before = self._store.get(uid)
        item = await self._client.get_or_none(self._resource, metadata["namespace"], metadata["name"])
        if item is None:
            return False
        self._store.put(item)
        return self._store.get(uid) is not before


def _keep(metadata: JsonObject) -> JsonObject:
    return {name: metadata[name] for name in ("namespace", "name", "resourceVersion")}
