"""How do ascending numbers go together: in rows without a gap, in equal steps around a field?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def is_row(values: Sequence[int]) -> bool:
    """Tell whether values follow one another without a gap."""
    return values[-1] - values[0] == len(values) - 1


def split_rows(values: Sequence[int]) -> list[list[int]]:
    """Split values where there is a gap."""
    rows: list[list[int]] = []
    for value in values:
        if rows and rows[-1][-1] == value - 1:
            rows[-1].append(value)
        else:
            rows.append([value])
    return rows


def find_only_step(values: Sequence[int]) -> int | None:
    """Find the one distance between neighbours; None where there are several."""
    steps = {later - earlier for earlier, later in pairwise(values)}
    return steps.pop() if len(steps) == 1 else None


def find_period(values: Sequence[int], size: int) -> int | None:
    """Find how often values recur in a field of that size, across its end too; None where they do not."""
    step = size // len(values)
    is_periodic = len(values) > 1 and size % len(values) == 0
    return step if is_periodic and list(values) == list(range(values[0], size, step)) else None
