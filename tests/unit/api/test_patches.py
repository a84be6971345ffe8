"""The patch of an edit: it changes what differs, and fails where somebody else changed the same.

That an API server understands it so is shown by tests/cluster/test_api_edits.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from sundial_api.jobs.patches import build_patch, list_changes

JsonObject = dict[str, Any]
PAUSED, PATH = "sundial.dev/paused", "/metadata/annotations/sundial.dev~1paused"
GUARDS = [
    {"op": "test", "path": "/metadata/uid", "value": "u"},
    {"op": "test", "path": "/metadata/generation", "value": 7},
]


def build(spec: JsonObject | None = None, annotations: JsonObject | None = None) -> JsonObject:
    marks = {} if annotations is None else {"annotations": annotations}
    return {"metadata": {"uid": "u", "generation": 7, **marks}, "spec": spec or {}}


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        pytest.param({"a": 1}, {"a": 1.0}, [], id="the same"),
        pytest.param({"a": 1}, {"a": True}, [{"op": "add", "path": "/spec/a", "value": True}], id="true"),
        pytest.param({}, {"a": None}, [{"op": "add", "path": "/spec/a", "value": None}], id="null"),
        pytest.param({"a": 1}, {}, [{"op": "remove", "path": "/spec/a"}], id="removed"),
        pytest.param(
            {"a": {"b": 1, "c": 2}},
            {"a": {"b": 2, "c": 2}},
            [{"op": "add", "path": "/spec/a", "value": {"b": 2, "c": 2}}],
            id="a field as a whole",
        ),
    ],
)
def test_changes_of_a_spec(old: JsonObject, new: JsonObject, changes: list[JsonObject]) -> None:
    assert list_changes(build(old), build(new)) == changes


def list_tests(old: JsonObject, new: JsonObject) -> dict[str, Any]:
    """List the tests of annotations, by name."""
    patch = build_patch(build(annotations=old), build(annotations=new))
    assert patch[:2] == GUARDS
    tests = [operation for operation in patch[2:] if operation["op"] == "test"]
    assert patch[2 : 2 + len(tests)] == tests
    prefix = "/metadata/annotations/"
    return {test["path"].removeprefix(prefix).replace("~1", "/"): test["value"] for test in tests}


ABSENT = dict.fromkeys(("sundial.dev/paused", "sundial.dev/paused-by", "sundial.dev/paused-reason"))
ABSENT |= {"sundial.dev/cancel": None}


@pytest.mark.parametrize(
    ("old", "new", "tests"),
    [
        pytest.param({PAUSED: "true", "x": "y"}, {"x": "y"}, {PAUSED: "true"}, id="one that goes"),
        pytest.param({"x": "y"}, {"x": "y", PAUSED: "true"}, {}, id="one that comes"),
        pytest.param({"x": "y"}, {"x": "y"}, {}, id="none of ours"),
        pytest.param(
            {"sundial.dev/updated-by": "u"},
            {"sundial.dev/updated-by": "u"},
            {"sundial.dev/updated-by": "u"},
            id="one that stays",
        ),
        pytest.param(
            {"x": "y"},
            {"x": "y", "sundial.dev/new": "n"},
            {"sundial.dev/new": None},
            id="one that was not there",
        ),
    ],
)
def test_annotations_of_ours_must_be_as_they_were(
    old: JsonObject, new: JsonObject, tests: JsonObject
) -> None:
    assert list_tests(old, new) == ABSENT | tests


def test_annotations_are_changed_behind_the_tests() -> None:
    patch = build_patch(build(annotations={PAUSED: "true"}), build(annotations={"a~/b": "1"}))
    assert patch[-2:] == [
        {"op": "remove", "path": PATH},
        {"op": "add", "path": "/metadata/annotations/a~0~1b", "value": "1"},
    ]


def test_first_annotation_makes_their_place() -> None:
    patch = build_patch(build(), build(annotations={PAUSED: "true"}))
    assert patch[2:] == [
        {"op": "test", "path": "/metadata/annotations", "value": None},
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "add", "path": PATH, "value": "true"},
    ]
