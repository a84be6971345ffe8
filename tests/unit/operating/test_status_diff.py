"""A status patch: only what changed, under the resourceVersion that it was computed from."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.api_server import merge
from testkit.scheduled_jobs import build_scheduled_job

from sundial_core.status.patches import build_patch


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({}, {"a": 1}, {"a": 1}, id="new"),
        pytest.param({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}, id="changed"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"b": None}, id="removed"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}, {"a": {"b": None}}, id="removed inside"),
        pytest.param({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}, id="emptied inside"),
        pytest.param(
            {"a": {"b": {"c": 1}}}, {"a": {"b": {"d": 2}}}, {"a": {"b": {"c": None, "d": 2}}}, id="deep"
        ),
        pytest.param({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}, id="an object for a number"),
        pytest.param({"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}, id="a list goes as a whole"),
    ],
)
def test_patches(old: dict[str, Any], new: dict[str, Any], expected: dict[str, Any]) -> None:
    patch = build_patch(build_scheduled_job(status=old), new)
    assert patch == {"metadata": {"resourceVersion": "10"}, "status": expected}
    assert merge(old, patch["status"]) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param({"lastResult": "odd"}, {}, id="a word that is no longer wanted"),
        pytest.param({"queued": [{"slot": "x"}], "active": []}, {"active": []}, id="a list without an entry"),
        pytest.param(
            {"paused": {"until": "x", "by": "me"}}, {"paused": {"by": "me"}}, id="a part of an object"
        ),
    ],
)
def test_what_cannot_be_read_is_mended(old: dict[str, Any], new: dict[str, Any]) -> None:
    job = build_scheduled_job(status=old)
    assert job.unreadable
    assert merge(old, build_patch(job, new)["status"]) == new
