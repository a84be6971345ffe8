"""Ranges of slots, none in another: whether a slot lies in one is found by bisection."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

Range = tuple[datetime, datetime]
"""The first and the last slot."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """The first and the last slot of each range, oldest first."""

    firsts: tuple[datetime, ...] = ()
    lasts: tuple[datetime, ...] = ()

    def cover(self, slot: datetime) -> bool:
        """Tell whether a slot lies in one of them."""
        place = bisect_left(self.lasts, slot)
        return place < len(self.lasts) and self.firsts[place] <= slot


def build_ranges(ranges: Iterable[Range]) -> Ranges:
    """Build ranges of their bounds, in any order."""
    ordered = sorted(ranges)
    return Ranges(tuple(first for first, _ in ordered), tuple(last for _, last in ordered))
