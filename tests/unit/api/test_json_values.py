"""Which JSON is the same, and which can be kept: a person means 1 by 1.0, and not by true."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import nest

from sundial_api.http.json_values import check_json, check_shown_json, is_same_json

SAME = [
    pytest.param(1, 1.0, id="fraction of zero"),
    pytest.param(10**300, 1e300, id="a fraction that a database shows as a whole number"),
    pytest.param({"a": [1, None]}, {"a": [1.0, None]}, id="inside"),
    pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, id="order of keys"),
    pytest.param(nest(5000), nest(5000), id="deeper than the stack"),
]
DIFFERENT = [
    pytest.param(1, True, id="true for 1"),
    pytest.param(0, False, id="false for 0"),
    pytest.param({"a": 1}, {"a": True}, id="true for 1 inside"),
    pytest.param("1", 1, id="text for a number"),
    pytest.param(None, {}, id="null for an object"),
    pytest.param({}, [], id="list for an object"),
    pytest.param([1, 2], [2, 1], id="order of a list"),
    pytest.param([1], [1, 1], id="a longer list"),
    pytest.param({"a": None}, {}, id="null for nothing"),
    pytest.param(2**53 + 1, float(2**53), id="next to each other"),
    pytest.param(10**400, 1e300, id="beyond any fraction"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same(one: Any, other: Any) -> None:
    assert is_same_json(one, other)
    assert is_same_json(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different(one: Any, other: Any) -> None:
    assert not is_same_json(one, other)
    assert not is_same_json(other, one)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param({"deep": nest(64)}, "64 levels", id="too deep"),
        pytest.param({"long": 2**63}, "64 bits", id="long number"),
        pytest.param({"long": -(2**63) - 1}, "64 bits", id="long negative number"),
    ],
)
def test_what_is_shown_may_be_more_than_what_is_written(value: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_json(value)
    assert check_shown_json(value) is value


def test_limits_themselves_are_taken() -> None:
    value = {"deep": nest(62), "long": [2**63 - 1, -(2**63)]}
    assert check_json(value) is value


@pytest.mark.parametrize(
    "value", [{"a": "\x00"}, {"\ud800": 1}, {"a": float("inf")}, {"a": float("nan")}], ids=repr
)
def test_what_nobody_can_have_been_shown_is_refused(value: dict[str, Any]) -> None:
    for check in (check_json, check_shown_json):
        with pytest.raises(ValueError, match="has "):
            check(value)
