"""Are the committed CRDs those of the models, complete and small enough?"""

import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, Field

from sundial_core.crds.definitions import KINDS, Kind, build_definition
from sundial_core.crds.job_template import reduce_template
from sundial_core.crds.structural import build_schema

ROOT = Path(__file__).parents[4]
TEMPLATE = json.loads((ROOT / "core/sundial_core/crds/job_template.schema.json").read_text())
COMMAND = (sys.executable, "-m", "sundial_core.crds")
KIND_IDS = [kind.name for kind in KINDS]
CLIENT_SIDE_LIMIT = 262_144
TEMPLATE_PATH = ("spec", "template")


@functools.cache
def committed(kind: Kind) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "crds" / f"{kind.plural}.yaml").read_text())


def root_schema(kind: Kind) -> dict[str, Any]:
    return committed(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def nodes(
    schema: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield each schema node with the names of the fields that lead to it."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, (*path, name))
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], (*path, f"[{key}]"))


def own_fields(kind: Kind) -> dict[tuple[str, ...], dict[str, Any]]:
    found = nodes(root_schema(kind))
    return {path: node for path, node in found if path and path[:2] != TEMPLATE_PATH and path[-1][0] != "["}


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_document_says_what_was_built(kind: Kind) -> None:
    assert committed(kind) == json.loads(json.dumps(build_definition(kind, TEMPLATE)))


def test_folder_holds_nothing_else() -> None:
    assert sorted(path.name for path in (ROOT / "crds").iterdir()) == sorted(
        f"{k.plural}.yaml" for k in KINDS
    )


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_every_own_field_is_described_in_sentences(kind: Kind) -> None:
    silent = [
        path
        for path, node in own_fields(kind).items()
        if path != ("metadata",) and not node.get("description", "").endswith(".")
    ]
    assert silent == []


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_every_rule_has_a_message(kind: Kind) -> None:
    rules = [
        rule for _, node in nodes(root_schema(kind)) for rule in node.get("x-kubernetes-validations", ())
    ]
    assert [rule for rule in rules if not rule.get("message")] == []


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_rules_on_the_whole_object_never_stop_a_status(kind: Kind) -> None:
    rules = root_schema(kind).get("x-kubernetes-validations", ())
    assert [rule for rule in rules if not rule["rule"].startswith("oldSelf.hasValue() || ")] == []


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_nothing_is_left_that_is_not_structural(kind: Kind) -> None:
    found = {key for _, node in nodes(root_schema(kind)) for key in node}
    assert found.isdisjoint({"$ref", "$defs", "title", "const", "allOf", "oneOf", "not"})
    unions = [node["anyOf"] for _, node in nodes(root_schema(kind)) if "anyOf" in node]
    assert all(union == [{"type": "integer"}, {"type": "string"}] for union in unions)


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_client_side_apply_has_room(kind: Kind) -> None:
    assert len(json.dumps(committed(kind), separators=(",", ":")).encode()) < CLIENT_SIDE_LIMIT / 2


def test_status_holds_back_no_value() -> None:
    limits = {"pattern", "enum", "minLength", "maxLength", "minimum", "maximum", "x-kubernetes-validations"}
    status = [node for kind in KINDS for path, node in nodes(root_schema(kind)) if path[:1] == ("status",)]
    assert len(status) > 50
    assert [node for node in status if limits & node.keys()] == []


def test_check_passes_on_the_committed_files() -> None:
    done = subprocess.run([*COMMAND, "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_check_shows_a_drift(tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "crds", tmp_path / "crds")
    drifted = folder / "leaderterms.yaml"
    drifted.write_text(drifted.read_text().replace("minimum: 1", "minimum: 2"))
    check = [*COMMAND, "--folder", str(folder), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "-                minimum: 2\n+                minimum: 1\n" in done.stdout


def test_what_is_written_is_what_is_checked(tmp_path: Path) -> None:
    subprocess.run([*COMMAND, "--folder", str(tmp_path)], capture_output=True, check=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        path.name: path.read_text() for path in (ROOT / "crds").iterdir()
    }


class Part(BaseModel):
    """A part."""

    size: int = Field(default=1, ge=1, le=5_000_000_000)


class Whole(BaseModel):
    """A whole."""

    part: Part | None = None
    names: list[str] | None = None
    level: int | str | None = None
    counts: dict[str, int] = {}


def test_models_become_structural() -> None:
    size = {"type": "integer", "format": "int64", "default": 1, "minimum": 1, "maximum": 5_000_000_000}
    union = [{"type": "integer"}, {"type": "string"}]
    count = {"type": "integer", "format": "int32"}
    assert build_schema(Whole, {})["properties"] == {
        "part": {"type": "object", "description": "A part.", "properties": {"size": size}},
        "names": {"type": "array", "items": {"type": "string"}},
        "level": {"x-kubernetes-int-or-string": True, "anyOf": union},
        "counts": {"type": "object", "default": {}, "additionalProperties": count},
    }


class Odd(BaseModel):
    """A union that a structural schema cannot say."""

    value: int | list[int]


def test_other_unions_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot say"):
        build_schema(Odd, {})


def openapi(**fields: Any) -> dict[str, Any]:
    schemas = {
        "io.k8s.api.batch.v1.JobTemplateSpec": {"type": "object", "description": "d", "properties": fields},
        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {"type": "object", "description": "d"},
        "Port": {
            "type": "object",
            "required": ["port"],
            "properties": {"port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}},
        },
    }
    return {"components": {"schemas": schemas}}


REF = "#/components/schemas/"


@pytest.mark.parametrize(
    ("field", "reduced"),
    [
        pytest.param(
            {"type": "string", "description": "d", "enum": ["A"], "default": "A"},
            {"type": "string"},
            id="description-enum-default",
        ),
        pytest.param(
            {"type": "string", "x-kubernetes-patch-strategy": "merge", "x-kubernetes-unions": []},
            {"type": "string"},
            id="patch-keywords",
        ),
        pytest.param(
            {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
            {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            id="int-or-string",
        ),
        pytest.param(
            {
                "type": "array",
                "items": {"allOf": [{"$ref": REF + "Port"}], "default": {}},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["port", "protocol"],
            },
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["port", "protocol"],
                "items": {
                    "type": "object",
                    "required": ["port"],
                    "properties": {
                        "port": {"type": "integer"},
                        "protocol": {"type": "string", "default": "TCP"},
                    },
                },
            },
            id="list-map-keys",
        ),
    ],
)
def test_template_fields_are_reduced(field: dict[str, Any], reduced: dict[str, Any]) -> None:
    assert reduce_template(openapi(field=field))["properties"]["field"] == reduced


def test_embedded_metadata_is_labels_and_annotations() -> None:
    field = {"$ref": REF + "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    properties = reduce_template(openapi(metadata=field))["properties"]["metadata"]["properties"]
    assert sorted(properties) == ["annotations", "creationTimestamp", "labels"]
