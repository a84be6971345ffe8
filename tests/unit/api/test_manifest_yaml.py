"""Is what is written as YAML read as the same again? By PyYAML here, by kubectl in tests/cluster."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from testkit.odd_texts import ODD_TEXTS, json_values

from sundial_api.exports.manifest import build_manifest
from sundial_api.exports.yaml_text import write_yaml


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_text_stays_text(text: str) -> None:
    document = {"value": text, "map": {text: 1}, "list": [text]}
    assert yaml.safe_load(write_yaml(document)) == document


@given(json_values())
def test_values_come_back(value: Any) -> None:
    assert yaml.safe_load(write_yaml({"value": value})) == {"value": value}


@pytest.mark.parametrize("text", ["no", "Y", "1e3", "0o7", "2026-01-01", "0 9 * * *", "12:30", "<<"])
def test_what_could_be_something_else_is_quoted(text: str) -> None:
    assert write_yaml({"value": text, text: 1}) == f'value: "{text}"\n"{text}": 1\n'


def test_lines_that_parsers_end_in_their_own_ways_are_quoted() -> None:
    assert write_yaml({"value": "a\u2028b\nc"}) == 'value: "a\\Lb\\nc"\n'
    assert write_yaml({"value": "a\u0085b\nc"}) == 'value: "a\\Nb\\nc"\n'


def test_it_is_written_to_be_read() -> None:
    script = "set -e\necho 'ready: yes'\n"
    document = {"kind": "ScheduledJob", "args": ["sh", "-c", script], "name": "مهمة"}
    written = "kind: ScheduledJob\nargs:\n- sh\n- -c\n- |\n  set -e\n  echo 'ready: yes'\nname: \"مهمة\"\n"
    assert write_yaml(document) == written.replace("- -c", '- "-c"')


def test_only_what_is_the_users_is_left() -> None:
    marks = {"sundial.dev/paused": "true", "team": "ops"}
    others = {
        "sundial.dev/created-by": "u",
        "sundial.dev/updated-by": "u",
        "sundial.dev/updated-at": "t",
        "sundial.dev/updated-state": "s",
        "sundial.dev/request-digest": "d",
        "sundial.dev/cancel": "2026-01-01T00:00:00Z",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    }
    made = {"uid": "1", "resourceVersion": "2", "generation": 3, "managedFields": [], "finalizers": ["x"]}
    made |= {
        "creationTimestamp": "t",
        "ownerReferences": [{}],
        "deletionTimestamp": "t",
        "generateName": "a-",
    }
    metadata = {"name": "a", "namespace": "b", "annotations": marks | others, "labels": {}} | made
    item = {"apiVersion": "v1", "kind": "K", "metadata": metadata, "spec": {"a": 1}, "status": {"b": 2}}
    assert build_manifest(item) == {
        "apiVersion": "v1",
        "kind": "K",
        "metadata": {"name": "a", "namespace": "b", "annotations": marks},
        "spec": {"a": 1},
    }
