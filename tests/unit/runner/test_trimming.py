"""Does what is left of a value fit, in whatever room there is?"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sundial_runner.json_form import measure
from sundial_runner.trimming import SMALLEST_TEXT, Trimmer, cut_text, share_room

KEYS = st.text(max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=80) | st.dictionaries(KEYS, inner, max_size=30),
    max_leaves=80,
)


@settings(max_examples=60, deadline=None)
@given(VALUES, st.integers(SMALLEST_TEXT, 400))
def test_any_value_fits_into_any_room(value: Any, room: int) -> None:
    trimmer = Trimmer()
    fitted = trimmer.fit(value, room, "result")
    assert measure(fitted) <= room
    assert (fitted == value) == (not trimmer.paths)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(list(range(10**6, 10**6 + 500)), id="list"),
        pytest.param({f"k{i}": i for i in range(500)}, id="object"),
        pytest.param([["x" * 40] * 20] * 20, id="lists in a list"),
        pytest.param({"key": {"key": {"key": "x" * 500}}}, id="objects in an object"),
        pytest.param("\u0641\n" * 300, id="text"),
    ],
)
def test_no_room_is_exceeded(value: Any) -> None:
    rooms = range(SMALLEST_TEXT, 500)
    assert [room for room in rooms if measure(Trimmer().fit(value, room, "result")) > room] == []


def test_a_list_keeps_its_beginning() -> None:
    value: list[Any] = [*range(95, 105), "x" * 50, *range(500)]
    for room in range(60, 1000, 7):
        *kept, rest = Trimmer().fit(value, room, "result")
        whole = [one for one in kept if isinstance(one, int)]
        assert whole == [one for one in value[: len(kept)] if isinstance(one, int)]
        assert rest == f"… {len(value) - len(kept)} more"


@pytest.mark.parametrize("shape", [list, lambda rows: {f"k{row['id']}": row for row in rows}])
def test_small_rows_stay_whole(shape: Callable[[list[Any]], Any]) -> None:
    value = shape([{"id": i, "name": f"row {i}", "said": "x" * 100} for i in range(1000)])
    trimmer = Trimmer()
    fitted = trimmer.fit(value, 3000, "result")
    kept = [row for row in (fitted if isinstance(fitted, list) else fitted.values()) if isinstance(row, dict)]
    assert len(kept) >= 3000 // 160
    assert kept == [{"id": i, "name": f"row {i}", "said": "x" * 100} for i in range(len(kept))]
    assert trimmer.paths == ["result"]


def test_a_text_is_as_long_as_it_may_be() -> None:
    assert [measure(cut_text("x" * 100, room)) for room in (5, 20, 101)] == [5, 20, 101]
    assert cut_text("x" * 100, 102) == "x" * 100


@pytest.mark.parametrize(
    ("costs", "room", "shares"),
    [
        pytest.param([5, 50, 5, 70], 60, [5, 25, 5, 25], id="small ones are met"),
        pytest.param([10, 20], 100, [10, 20], id="room for all"),
        pytest.param([10, 10, 10], 10, [3, 3, 4], id="too little for any"),
        pytest.param([], 10, [], id="nothing"),
    ],
)
def test_room_is_shared(costs: list[int], room: int, shares: list[int]) -> None:
    assert share_room(costs, room) == shares
