"""A raw-JSON client for the API server: kubernetes.aio's login and TLS, bytes in and out.

No typed models (they drop unknown fields and cost ten times the time), no retries: callers decide those.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from sundial_core.resources.raw import JsonObject
from sundial_kube.deadline import compute_remaining
from sundial_kube.errors import NOT_FOUND, ApiError, ApiUnreachable, parse_error
from sundial_kube.nested_json import parse_nested
from sundial_kube.resources import Resource
from sundial_kube.server_clock import ServerClock

JSON = "application/json"
JSON_HEADERS = {"Content-Type": JSON}
CREATED_HEADERS = {
    "Content-Type": JSON,
    "Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
}
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
DRY_RUN = {"dryRun": "All"}
PAGE_SIZE = "500"
REQUEST_TIMEOUT_SECONDS = 15.0
LIST_TIMEOUT_SECONDS = 60.0
CONNECTIONS = 640
"""More than an operator has requests under way: a wait for a connection would count as one for the answer."""
WATCH_READ_SECONDS = 150.0
"""A watch that is silent for longer is dead: bookmarks come about once a minute."""

CallObserver = Callable[[str, str], None]
"""Called with the verb and the status code of each answer; the code is empty where there was none."""

PatchObserver = Callable[[ApiError | None], None]
"""Called for each status patch that was answered, with the error if it was refused."""

Gate = Callable[[], float]
"""Called before each write: for how many seconds it may go on; raises when this process may not write."""


def open_gate() -> float:
    """Let every write pass, for as long as it takes."""
    return math.inf


def observe_nothing(verb: str, code: str) -> None:
    """Take no notice of calls."""


def observe_no_patch(error: ApiError | None) -> None:
    """Take no notice of status patches."""


class KubeClient:
    """One connection pool to one API server; an async context manager.

    Every method raises ApiError for an error answer and ApiUnreachable when there is none.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        gate: Gate = open_gate,
        user_agent: str = "sundial",
        request_seconds: float = REQUEST_TIMEOUT_SECONDS,
        observe_call: CallObserver = observe_nothing,
        observe_status_patch: PatchObserver = observe_no_patch,
    ) -> None:
        self._configuration = configuration
        self._gate = gate
        self._user_agent = user_agent
        self._request_seconds = request_seconds
        self._observe_call = observe_call
        self._observe_status_patch = observe_status_patch
        self._session: aiohttp.ClientSession | None = None
        self.clock = ServerClock()

    async def __aenter__(self) -> Self:
        """Open the pool; answers come uncompressed, or the API server would deflate each event of a watch."""
        tls = RESTClientObject(self._configuration).ssl_context
        self._session = aiohttp.ClientSession(
            base_url=self._configuration.host,
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=tls),
            headers={"User-Agent": self._user_agent, "Accept": JSON, "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, resource: Resource, ns: str | None, name: str) -> JsonObject:
        """Read one object, uncached; `ns` is None for one that is in no namespace."""
        return await self._request("GET", resource.path(ns, name))

    async def get_or_none(self, resource: Resource, ns: str, name: str) -> JsonObject | None:
        """Read one object, uncached; None when there is none."""
        try:
            return await self.get(resource, ns, name)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    async def read_text(self, path: str, query: Mapping[str, str], most: int) -> bytes:
        """Read what is no JSON, such as a log; at most so many bytes, whatever the query asks for."""
        limit, headers = self._limit(f"GET {path}"), {"Accept": "text/plain, */*"}
        async with self._send("GET", path, query, None, headers, limit) as answer:
            try:
                return await _read_at_most(answer, most)
            except (aiohttp.ClientError, TimeoutError) as error:
                raise ApiUnreachable(f"GET {path}: {error!r}") from error

    async def list_page(self, path: str, query: Mapping[str, str], accept: str = JSON) -> JsonObject:
        """Read one page of a collection; with METADATA_LIST only the metadata of each object."""
        headers, timeout = {"Accept": accept}, LIST_TIMEOUT_SECONDS
        page = await self._request("GET", path, query=query, headers=headers, timeout=timeout)
        return page | {"items": page.get("items") or []}  # a list of metadata without any has null

    async def list_pages(
        self, path: str, query: Mapping[str, str], accept: str = JSON
    ) -> AsyncIterator[JsonObject]:
        """Read a collection page by page; all pages are of one resourceVersion, which each of them names."""
        wanted = {"limit": PAGE_SIZE, **query}
        while True:
            page = await self.list_page(path, wanted, accept)
            yield page
            wanted["continue"] = page["metadata"].get("continue", "")
            if not wanted["continue"]:
                return

    async def create(self, resource: Resource, ns: str, manifest: JsonObject | bytes) -> JsonObject:
        """Create an object."""
        return await self._write("POST", resource.path(ns), manifest)

    async def create_metadata_only(self, resource: Resource, ns: str, manifest: JsonObject) -> JsonObject:
        """Create an object and read its metadata only, which costs the API server less.

        Fields that it does not know are dropped without the warning that nobody would read.
        """
        seconds = self._write_timeout()
        return await self._request(
            "POST",
            resource.path(ns),
            query={"fieldValidation": "Ignore"},
            data=orjson.dumps(manifest),
            headers=CREATED_HEADERS,
            timeout=seconds,
        )

    async def dry_run_create(self, resource: Resource, ns: str, manifest: JsonObject) -> None:
        """Have an object's creation checked by the API server, admission included, and not done."""
        seconds, data = self._write_timeout(), orjson.dumps(manifest)
        await self._request("POST", resource.path(ns), query=DRY_RUN, data=data, timeout=seconds)

    async def review(self, resource: Resource, spec: JsonObject) -> JsonObject:
        """Ask who somebody is or what they may do; a review changes nothing. Returns its status."""
        review = {"apiVersion": resource.api_version, "kind": resource.kind, "spec": spec}
        answer = await self._request("POST", resource.path(), data=orjson.dumps(review))
        status: JsonObject = answer.get("status") or {}
        return status

    async def patch(self, resource: Resource, ns: str, name: str, patch: JsonObject) -> JsonObject:
        """Merge-patch an object; the patch carries the resourceVersion that guards it."""
        return await self._write("PATCH", resource.path(ns, name), patch, MERGE_PATCH)

    async def patch_json(
        self, resource: Resource, ns: str, name: str, operations: list[JsonObject]
    ) -> JsonObject:
        """Patch an object by the operations of RFC 6902, which can also write null."""
        return await self._write("PATCH", resource.path(ns, name), operations, JSON_PATCH)

    async def apply(
        self, resource: Resource, manifest: JsonObject, manager: str, dry_run: Mapping[str, str] | None = None
    ) -> JsonObject:
        """Apply an object server-side as a field manager; raises ApiError 409 where others own a field.

        With DRY_RUN it is checked by the API server, admission included, and not done.
        """
        seconds, metadata = self._write_timeout(), manifest["metadata"]
        return await self._request(
            "PATCH",
            resource.path(metadata["namespace"], metadata["name"]),
            query={"fieldManager": manager, "fieldValidation": "Strict", **(dry_run or {})},
            data=orjson.dumps(manifest),
            headers={"Content-Type": APPLY_PATCH},
            timeout=seconds,
        )

    async def patch_status(self, resource: Resource, ns: str, name: str, patch: JsonObject) -> JsonObject:
        """Merge-patch the status; the patch carries the resourceVersion that guards it."""
        path = resource.path(ns, name, "status")
        try:
            answer = await self._write("PATCH", path, patch, MERGE_PATCH)
        except ApiError as error:
            self._observe_status_patch(error)
            raise
        self._observe_status_patch(None)
        return answer

    async def delete(self, resource: Resource, ns: str, name: str, uid: str) -> JsonObject:
        """Delete the object of that UID and, in the background, what it owns."""
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        return await self._write("DELETE", resource.path(ns, name), options)

    async def _write(
        self, method: str, path: str, body: JsonObject | list[JsonObject] | bytes, content_type: str = JSON
    ) -> JsonObject:
        seconds = self._write_timeout()
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {"Content-Type": content_type}
        return await self._request(method, path, data=data, headers=headers, timeout=seconds)

    def _write_timeout(self) -> float:
        """Compute how many seconds a write may take: never longer than this process surely leads."""
        return min(self._request_seconds, self._gate())

    def _limit(self, what: str, timeout: float | None = None) -> aiohttp.ClientTimeout:
        """Limit a request to what is left of the deadline; raises ApiUnreachable where that is nothing."""
        seconds = min(timeout or self._request_seconds, compute_remaining())
        if not seconds:
            raise ApiUnreachable(f"{what}: no time is left")
        return aiohttp.ClientTimeout(total=seconds)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] = JSON_HEADERS,
        timeout: float | None = None,
    ) -> JsonObject:
        limit = self._limit(f"{method} {path}", timeout)
        async with self._send(method, path, query, data, headers, limit) as answer:
            try:
                body = await answer.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                raise ApiUnreachable(f"{method} {path}: {error!r}") from error
            return parse_json(body, f"{method} {path}")

    @asynccontextmanager
    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a watch; yields its lines, of any length.

        The lines raise ApiUnreachable when the connection breaks or stays silent for too long.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=WATCH_READ_SECONDS)
        async with self._send("GET", path, query, None, JSON_HEADERS, timeout) as answer:
            yield _lines(answer)

    @asynccontextmanager
    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        data: bytes | None,
        headers: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        assert self._session is not None, "use the client as a context manager"
        sent = {**headers, **await self._authorization()}
        options: dict[str, Any] = {"params": query, "data": data, "headers": sent, "timeout": timeout}
        if self._configuration.tls_server_name:
            options["server_hostname"] = self._configuration.tls_server_name
        if self._configuration.proxy:
            options["proxy"] = self._configuration.proxy
        sent_at = self.clock.read_boot_clock()
        try:
            answer = await self._session.request(method, path, **options)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._observe_call(method, "")
            raise ApiUnreachable(f"{method} {path}: {error!r}") from error
        self._observe_call(method, str(answer.status))
        async with answer:
            self.clock.observe(answer.headers.get("Date"), sent_at)
            if answer.status >= 400:
                raise parse_error(answer.status, await _read_error(answer), answer.headers.get("Retry-After"))
            yield answer

    async def _authorization(self) -> dict[str, str]:
        settings = await self._configuration.auth_settings()
        token = settings.get("BearerToken")
        return {"Authorization": str(token["value"])} if token and token["value"] else {}


def parse_json(text: bytes, what: str) -> JsonObject:
    """Parse an answer or a line of a watch; what is no JSON is none, as a proxy in between may send it."""
    try:
        return parse_nested(text)
    except ValueError as error:
        raise ApiUnreachable(f"{what}: the answer is no JSON: {error}") from error


async def _read_at_most(answer: aiohttp.ClientResponse, most: int) -> bytes:
    data = bytearray()
    async for chunk in answer.content.iter_any():
        data += chunk
        if len(data) >= most:
            answer.close()
            break
    return bytes(data[:most])


async def _read_error(answer: aiohttp.ClientResponse) -> bytes:
    try:
        return await answer.read()
    except (aiohttp.ClientError, TimeoutError):
        return b""


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    pending = b""
    try:
        async for chunk in answer.content.iter_any():
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                if line:
                    yield line
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ApiUnreachable(f"watch: {error!r}") from error
