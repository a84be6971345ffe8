"""When a status that may wait gets its turn."""

from __future__ import annotations

from datetime import timedelta

import pytest
from situations import SECOND, at, read_seconds

from sundial_core.instants import format_instant
from sundial_operator.statuses import Pace


@pytest.mark.parametrize(
    ("asked", "turns"),
    [
        pytest.param([0, 10], [3, 13], id="one at a time waits for what may follow"),
        pytest.param([0, 0, 0], [3, 5, 7], id="together they go one by one"),
        pytest.param([0, 0, 1], [3, 5, 7], id="the next one after those that wait"),
        pytest.param([0] * 6, [3, 5, 7, 9, 10, 10], id="none waits for longer than the longest"),
        pytest.param([0] * 6 + [9], [3, 5, 7, 9, 10, 10, 12], id="nor is held up by those that had no room"),
    ],
)
def test_turns(asked: list[int], turns: list[int]) -> None:
    pace = Pace(spacing=2 * SECOND, longest=10 * SECOND)
    given = [pace.take_turn(at(now), timedelta(seconds=3)) for now in asked]
    assert [read_seconds(format_instant(turn)) for turn in given] == turns
