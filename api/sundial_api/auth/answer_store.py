"""Which answers are kept? The ones used last, and of one owner a tenth at most: nobody drives others out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")

SHARES = 10
"""Into how many parts the store is divided: one owner has one of them at most."""


@dataclass(frozen=True, slots=True)
class KeptAnswer(Generic[Answer]):
    """An answer, whom it is about, and when it was asked for."""

    answer: Answer
    owner: Hashable
    asked_at: float


class AnswerStore(Generic[Key, Answer]):
    """Answers in the order of their use; where there are too many, the one used longest ago goes first."""

    def __init__(self) -> None:
        self._all: OrderedDict[Key, KeptAnswer[Answer]] = OrderedDict()
        self._keys: dict[Hashable, OrderedDict[Key, None]] = {}

    def find(self, key: Key) -> KeptAnswer[Answer] | None:
        """Find an answer."""
        return self._all.get(key)

    def touch(self, key: Key) -> None:
        """Note that an answer was used."""
        self._all.move_to_end(key)
        self._keys[self._all[key].owner].move_to_end(key)

    def put(self, key: Key, kept: KeptAnswer[Answer], most: int) -> None:
        """Keep an answer among at most so many."""
        self.drop(key)
        self._all[key] = kept
        own = self._keys.setdefault(kept.owner, OrderedDict())
        own[key] = None
        if len(own) > max(1, most // SHARES):
            self.drop(next(iter(own)))
        while len(self._all) > most:
            self.drop(next(iter(self._all)))

    def drop(self, key: Key) -> None:
        """Keep an answer no more."""
        kept = self._all.pop(key, None)
        if kept is None:
            return
        own = self._keys[kept.owner]
        del own[key]
        if not own:
            del self._keys[kept.owner]
