"""What a reflector takes from lists and watches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from sundial_core.model import JsonObject
from sundial_kube.reflector import INITIAL_EVENTS_END, Reflector
from sundial_kube.resources import JOBS


def event(kind: str, uid: str = "a", version: int = 5) -> JsonObject:
    return {"type": kind, "object": {"metadata": {"uid": uid, "resourceVersion": str(version)}}}


def bookmark(version: int = 9, *, ends_list: Any = False) -> JsonObject:
    marks = {"annotations": {INITIAL_EVENTS_END: "true"}} if ends_list else {}
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)} | marks}}


END = bookmark(ends_list=True)


class Script:
    """A client whose streams are written down, and a sink that keeps what it is told."""

    def __init__(self, *streams: list[JsonObject]) -> None:
        self.streams = iter(streams)
        self.present: set[str] = set()
        self.listed: set[str] = set()
        client: Any = self
        self.reflector = Reflector(client, JOBS, self)

    @asynccontextmanager
    async def stream(self, _path: str, _query: object) -> AsyncIterator[AsyncIterator[bytes]]:
        told = next(self.streams, None)
        assert told is not None, "the script is over"
        yield _lines(told)

    def put(self, item: JsonObject) -> None:
        self.present.add(item["metadata"]["uid"])

    def remove(self, item: JsonObject) -> None:
        self.present.discard(item["metadata"]["uid"])

    def retain(self, listed: set[str], _resource_version: int) -> None:
        self.listed = listed


async def _lines(events: list[JsonObject]) -> AsyncIterator[bytes]:
    for one in events:
        yield orjson.dumps(one)


async def test_what_is_deleted_while_it_is_listed_is_not_there() -> None:
    script = Script([event("ADDED", "a"), event("ADDED", "b"), event("DELETED", "a", 7), END])
    await script.reflector.list_consistently()
    assert (script.present, script.listed) == ({"b"}, {"b"})
