"""Waits double with each failure in a row, and stay below their limit."""

from __future__ import annotations

import pytest

from sundial_core.coordination.backoff import Backoff


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0.5), (1, 0.5), (2, 1), (3, 2), (6, 16), (7, 30), (8, 30), (1_000_000, 30)],
)
def test_a_wait_doubles_up_to_its_limit(failures: int, seconds: float) -> None:
    assert Backoff(0.5, 30).after(failures) == seconds
