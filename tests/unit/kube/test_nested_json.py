"""What the API server has stored can be read and written again, however deep a tenant nested it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sundial_core.resources.nesting import CUT_LEVELS, CUT_OFF, is_nested_deeper
from sundial_kube.nested_json import parse_nested


def nest(levels: int, kind: str) -> bytes:
    """Write so many levels of maps or lists around a number."""
    begin, end = (b'{"a":', b"}") if kind == "map" else (b"[", b"]")
    return begin * levels + b"1" + end * levels


def count_levels(value: Any) -> int:
    levels = 0
    while isinstance(value, dict | list):
        levels, value = levels + 1, next(iter(value.values() if isinstance(value, dict) else value))
    return levels


@pytest.mark.parametrize("kind", ["map", "list"])
@pytest.mark.parametrize("levels", [1, 64, 65, 254])
def test_what_can_be_written_is_read_as_it_is(levels: int, kind: str) -> None:
    text = nest(levels, kind)
    assert parse_nested(text) == orjson.loads(text)


@pytest.mark.parametrize("kind", ["map", "list"])
@pytest.mark.parametrize("levels", [255, 1023, 1025, 9990])
def test_what_is_too_deep_to_be_written_is_cut_off(levels: int, kind: str) -> None:
    parsed = parse_nested(b'{"metadata": {"uid": "u"}, "spec": %b}' % nest(levels, kind))
    assert parsed["metadata"] == {"uid": "u"}
    assert 1 + count_levels(parsed["spec"]) == CUT_LEVELS
    assert CUT_OFF.encode() in orjson.dumps(parsed)


@pytest.mark.parametrize("text", [b"", b"<html>", b'{"a":', nest(100_000, "list")], ids=len)
def test_what_is_no_json(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_nested(text)


@pytest.mark.parametrize("kind", ["map", "list"])
def test_how_deep_a_value_is_nested(kind: str) -> None:
    value = orjson.loads(nest(3, kind))
    assert [is_nested_deeper(value, levels) for levels in range(5)] == [True, True, True, False, False]
    assert not is_nested_deeper(1, 0)
