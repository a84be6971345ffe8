"""What has changed of late? The end of the log, kept once for all listeners of a process."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

MAX_CHANGES = 5_000
MAX_BYTES = 16 * 1024 * 1024
PIECE_BYTES = 128 * 1024
"""After how much a listener is given no more at once: so much waits for one that reads slowly."""


@dataclass(frozen=True, slots=True)
class Change:
    """A row after a change: its number and namespace, and the event as it is sent."""

    number: int
    namespace: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """What a listener is sent next, and behind which number it is then."""

    text: bytes
    number: int


class Tail:
    """Holds the changes after `begin`, up to `end`, as many as fit; who is further behind is told nothing."""

    def __init__(self, begin: int) -> None:
        self.begin = self.end = begin
        self._changes: deque[Change] = deque()
        self._bytes = 0

    def extend(self, changes: Sequence[Change], end: int) -> None:
        """Add all changes after `end` of before, up to a new one; the oldest make room."""
        self._changes.extend(changes)
        self._bytes += sum(len(change.text) for change in changes)
        self.end = end
        while len(self._changes) > MAX_CHANGES or self._bytes > MAX_BYTES:
            oldest = self._changes.popleft()
            self._bytes -= len(oldest.text)
            self.begin = oldest.number

    def read(self, after: int, namespaces: Collection[str] | None) -> Piece | None:
        """Give what follows a number; None when not all of that is here any more."""
        if after < self.begin:
            return None
        newer = list(takewhile(lambda change: change.number > after, reversed(self._changes)))
        return cut_piece(reversed(newer), namespaces, max(after, self.end))


def cut_piece(changes: Iterable[Change], namespaces: Collection[str] | None, end: int) -> Piece:
    """Put changes together, in order, until they are enough for once; `end` is behind all of them."""
    texts: list[bytes] = []
    size = 0
    for change in changes:
        if namespaces is None or change.namespace in namespaces:
            texts.append(change.text)
            size += len(change.text)
        if size >= PIECE_BYTES:
            return Piece(b"".join(texts), change.number)
    return Piece(b"".join(texts), end)
