"""The newest known state of one kind of object, keyed by UID, as projected values.

A store never goes back: it takes no object with a lower resourceVersion than it holds for that UID, and a
deletion is remembered so that a late, older event cannot bring the object back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from sundial_core.resources.raw import JsonObject


class Versioned(Protocol):
    """What a store needs to know of its values."""

    @property
    def uid(self) -> str:
        """The object's UID."""

    @property
    def ns(self) -> str:
        """The object's namespace."""

    @property
    def resource_version(self) -> int:
        """The object's resourceVersion."""


MAX_DELETIONS = 10_000
"""How many deletions are remembered: more than can happen while a request is under way."""

V = TypeVar("V", bound=Versioned)
Listener = Callable[[V | None, V | None], None]
"""Called with (old, new) after each change; on a deletion `new` is None and `old` the last known state."""

Parser = Callable[[JsonObject], V]


class Store(Generic[V]):
    """Objects of one kind by UID.

    `parse` turns an object's JSON into a value; what it cannot parse goes to `reject`.
    """

    def __init__(
        self, parse: Parser[V], listen: Listener[V], reject: Callable[[JsonObject, Exception], None]
    ) -> None:
        self._parse = parse
        self._listen = listen
        self._reject = reject
        self._values: dict[str, V] = {}
        self._deleted: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[V]:
        return iter(list(self._values.values()))

    def get(self, uid: str) -> V | None:
        """The value of that UID."""
        return self._values.get(uid)

    def put(self, item: JsonObject) -> None:
        """Take an object from a watch, a list, or the answer of an own write."""
        if self._is_known(item):
            return
        value = self._parsed(item)
        if value is None or value.resource_version <= self._deleted.get(value.uid, -1):
            return
        old = self._values.get(value.uid)
        if old is None or value.resource_version > old.resource_version:
            self._values[value.uid] = value
            self._listen(old, value)

    def remove(self, item: JsonObject) -> None:
        """Take a DELETED event; it carries the object's last state."""
        uid, resource_version = item["metadata"]["uid"], int(item["metadata"]["resourceVersion"])
        old = self._values.get(uid)
        if old is not None and old.resource_version > resource_version:
            return
        value = self._parsed(item)
        self._drop(uid, resource_version, old if value is None else value)

    def retain(self, listed: set[str], resource_version: int, ns: str | None) -> None:
        """Drop what is older than a complete list, consistent at `resource_version`, that did not name it.

        The list is of one namespace, or (None) of all.
        """
        missing = [
            value
            for uid, value in self._values.items()
            if uid not in listed
            and value.resource_version < resource_version
            and (ns is None or value.ns == ns)
        ]
        for value in missing:
            self._drop(value.uid, resource_version, value)

    def forget(self, uid: str) -> None:
        """Drop an object that an uncached read has not found."""
        value = self._values.get(uid)
        if value is not None:
            self._drop(uid, value.resource_version, value)

    def _is_known(self, item: JsonObject) -> bool:
        """Tell whether this state or a newer one is held: a leader lists what it has listed as a standby."""
        try:
            known = self._values.get(item["metadata"]["uid"])
            return known is not None and int(item["metadata"]["resourceVersion"]) <= known.resource_version
        except (KeyError, TypeError, ValueError):
            return False

    def _drop(self, uid: str, resource_version: int, last: V | None) -> None:
        self._deleted.pop(uid, None)
        self._deleted[uid] = resource_version
        if len(self._deleted) > MAX_DELETIONS:
            del self._deleted[next(iter(self._deleted))]
        self._values.pop(uid, None)
        if last is not None:
            self._listen(last, None)

    def _parsed(self, item: JsonObject) -> V | None:
        try:
            return self._parse(item)
        except (KeyError, TypeError, ValueError) as error:
            self._reject(item, error)
            return None
