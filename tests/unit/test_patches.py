"""A status patch: only what changed, under the resourceVersion that it was computed from."""

from __future__ import annotations

from typing import Any

import pytest
from situations import build_scheduled_job

from sundial_operator.effects import build_patch


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({}, {"a": 1}, {"a": 1}, id="new"),
        pytest.param({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}, id="changed"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"b": None}, id="removed"),
        pytest.param({"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}, id="a list goes as a whole"),
    ],
)
def test_patches(old: dict[str, Any], new: dict[str, Any], expected: dict[str, Any]) -> None:
    patch = build_patch(build_scheduled_job(status=old), new)
    assert patch == {"metadata": {"resourceVersion": "10"}, "status": expected}
