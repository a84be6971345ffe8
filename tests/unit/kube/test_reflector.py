"""What a reflector takes from lists and watches, and by what it knows that it still hears."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from sundial_core.coordination.backoff import Backoff
from sundial_core.resources.raw import JsonObject
from sundial_kube import reflector as module
from sundial_kube.errors import ApiError
from sundial_kube.reflector import INITIAL_EVENTS_END, Reflector
from sundial_kube.resources import JOBS

FORBIDDEN = ApiError(403, "Forbidden", "jobs.batch is forbidden")


class Enough(Exception):
    """The script is over."""


def event(kind: str, uid: str = "a", version: int = 5) -> JsonObject:
    return {"type": kind, "object": {"metadata": {"uid": uid, "resourceVersion": str(version)}}}


def bookmark(version: int = 9, *, ends_list: Any = False) -> JsonObject:
    marks = {"annotations": {INITIAL_EVENTS_END: "true"}} if ends_list else {}
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)} | marks}}


END = bookmark(ends_list=True)


class Script:
    """A client whose streams are written down, and a sink that keeps what it is told."""

    def __init__(self, *streams: list[JsonObject] | ApiError) -> None:
        self.streams = iter(streams)
        self.present: set[str] = set()
        self.listed: set[str] = set()
        self.refused_at = 0.0
        client: Any = self
        self.reflector = Reflector(client, JOBS, self)

    @asynccontextmanager
    async def stream(self, _path: str, _query: object) -> AsyncIterator[AsyncIterator[bytes]]:
        told = next(self.streams, None)
        if told is None:
            raise Enough
        if isinstance(told, ApiError):
            self.refused_at = time.monotonic()
            raise told
        yield _lines(told)

    async def list_page(self, _path: str, _query: object, _accept: str) -> JsonObject:
        return {"metadata": {"resourceVersion": "9"}}

    def put(self, item: JsonObject) -> None:
        self.present.add(item["metadata"]["uid"])

    def remove(self, item: JsonObject) -> None:
        self.present.discard(item["metadata"]["uid"])

    def retain(self, listed: set[str], _resource_version: int, _ns: str | None) -> None:
        self.listed = listed

    async def play(self) -> None:
        """Follow the script to its end."""
        with pytest.raises(Enough):
            await self.reflector.run()


async def _lines(events: list[JsonObject]) -> AsyncIterator[bytes]:
    for one in events:
        yield orjson.dumps(one)


@pytest.fixture(autouse=True)
def _no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF", Backoff(0.0, 0.0))


async def test_what_is_deleted_while_it_is_listed_is_not_there() -> None:
    script = Script([event("ADDED", "a"), event("ADDED", "b"), event("DELETED", "a", 7), END])
    await script.reflector.list_consistently()
    assert (script.present, script.listed) == ({"b"}, {"b"})


@pytest.mark.parametrize(
    ("streams", "is_news"),
    [
        pytest.param([FORBIDDEN], False, id="a watch that is refused"),
        pytest.param([[]], False, id="a watch that ends at once"),
        pytest.param([FORBIDDEN, [], FORBIDDEN], False, id="again and again"),
        pytest.param([[event("MODIFIED")]], True, id="an event"),
        pytest.param([[bookmark()]], True, id="a bookmark"),
    ],
)
async def test_what_counts_as_news(streams: list[Any], is_news: Any) -> None:
    script = Script([END], *streams)
    await script.reflector.list_consistently()
    listed_at = script.reflector.heard_at
    await script.play()
    assert (script.reflector.heard_at > listed_at) is is_news


async def test_a_list_is_news_when_it_is_complete() -> None:
    script = Script([event("ADDED")], [event("ADDED"), END])
    begun_at = script.reflector.heard_at
    with pytest.raises(module.ApiUnreachable):
        await script.reflector.list_consistently()
    assert script.reflector.heard_at == begun_at < script.reflector.stirred_at
    await script.reflector.list_consistently()
    assert script.reflector.heard_at > begun_at


async def test_the_loop_goes_round_from_its_beginning() -> None:
    script = Script()
    made_at = script.reflector.stirred_at
    await script.play()
    assert script.reflector.stirred_at > made_at


async def test_every_attempt_shows_that_the_loop_goes_round() -> None:
    script = Script([END], FORBIDDEN)
    await script.reflector.list_consistently()
    await script.play()
    assert script.reflector.heard_at < script.refused_at <= script.reflector.stirred_at
