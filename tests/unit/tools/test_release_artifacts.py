"""What is said of a release: provenance, layers, bill of materials, and the commands that publish it."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from sundial_release.artifacts import compare_layers, list_layers, write_image
from sundial_release.checks import Candidate
from sundial_release.errors import ReleaseError
from sundial_release.provenance import (
    LOCKS,
    Builder,
    Source,
    build_statement,
    find_builder,
    find_repository,
    hash_locks,
)
from sundial_release.publishing import (
    Destination,
    build_commands,
    check_destination,
    find_digest,
    sbom_commands,
    sign_commands,
)
from sundial_release.sboms import check_sbom, count_components, list_licenses
from sundial_release.shell import run, run_all

ROOT = Path(__file__).parents[3]
DIGEST = f"sha256:{'1' * 64}"
SOURCE = Source(
    "https://forge.example/team/sundial", "c" * 40, "0.2.0", 7, "oci://python:3.13", DIGEST, {"a.lock": "22"}
)
CANDIDATE = Candidate("0.2.0", "0.2.0", "0.2.0", "", (), "c" * 40, 7, (), elsewhere=False)
WORKFLOW = {
    "GITHUB_SERVER_URL": "https://forge.example",
    "GITHUB_REPOSITORY": "team/sundial",
    "GITHUB_WORKFLOW_REF": "team/sundial/.github/workflows/release.yaml@refs/tags/v0.2.0",
    "GITHUB_RUN_ID": "5",
}
PLACE = Destination("registry.example:5000/team", f"python:3.13-slim-bookworm@{DIGEST}")


def test_the_statement_names_what_was_built() -> None:
    statement = build_statement(SOURCE, {"sundial": DIGEST}, Builder())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"] == [{"name": "sundial", "digest": {"sha256": "1" * 64}}]


def test_the_statement_names_all_that_it_was_built_from() -> None:
    build = build_statement(SOURCE, {}, Builder())["predicate"]["buildDefinition"]
    repository = "git+https://forge.example/team/sundial"
    assert build["resolvedDependencies"] == [
        {"uri": repository, "digest": {"gitCommit": "c" * 40}},
        {"uri": "oci://python:3.13", "digest": {"sha256": "1" * 64}},
        {"uri": f"{repository}#a.lock", "digest": {"sha256": "22"}},
    ]
    assert build["externalParameters"] == {
        "repository": "https://forge.example/team/sundial",
        "ref": "v0.2.0",
    }
    assert build["internalParameters"] == {"SOURCE_DATE_EPOCH": 7}


def test_the_builder_is_the_workflow_in_whose_run_it_is() -> None:
    details = build_statement(SOURCE, {}, find_builder(WORKFLOW))["predicate"]["runDetails"]
    assert details == {
        "builder": {
            "id": "https://forge.example/team/sundial/.github/workflows/release.yaml@refs/tags/v0.2.0"
        },
        "metadata": {"invocationId": "https://forge.example/team/sundial/actions/runs/5"},
    }
    assert find_repository(WORKFLOW) == "https://forge.example/team/sundial"


def test_a_machine_of_a_maintainers_says_that_it_is_one() -> None:
    details = build_statement(SOURCE, {}, find_builder({}))["predicate"]["runDetails"]
    assert details == {"builder": {"id": "https://sundial.dev/release/local"}}
    assert find_repository({}) == "file:///sundial"


def test_every_lock_is_hashed() -> None:
    assert set(hash_locks(ROOT)) == set(LOCKS) == {path.name for path in ROOT.glob("requirements*.lock")}
    assert all(len(found) == 64 for found in hash_locks(ROOT).values())


def test_the_chart_installs_the_image_by_digest() -> None:
    text = (ROOT / "charts" / "sundial" / "values.yaml").read_text()
    before, after = yaml.safe_load(text), yaml.safe_load(write_image(text, PLACE.image, DIGEST))
    assert after["image"] == before["image"] | {"repository": PLACE.image, "digest": DIGEST}
    assert after | {"image": None} == before | {"image": None}


@pytest.mark.parametrize("text", ["image:\n  repository: a\n", "other:\n  repository: a\n  digest: b\n"])
def test_a_chart_without_a_place_for_the_digest_is_not_packaged(text: str) -> None:
    with pytest.raises(ReleaseError, match=r"^image\.\w+ is not in the chart's values.yaml.$"):
        write_image(text, "a", DIGEST)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (["a", "b"], ["a", "b"], "Built twice, the image has the same 2 layers."),
        (["a", "b"], ["a", "c"], "Built twice, 1 of 2 layers are the same."),
        (["a"], ["a", "b"], "Built twice, 1 of 2 layers are the same."),
    ],
)
def test_layers_are_compared_one_by_one(first: list[str], second: list[str], said: str) -> None:
    assert compare_layers(first, second) == said


def test_layers_are_read_from_the_manifest(tmp_path: Path) -> None:
    files = {
        "index.json": {"manifests": [{"digest": "sha256:11"}]},
        "blobs/sha256/11": {"layers": [{"digest": "sha256:22"}, {"digest": "sha256:33"}]},
    }
    with tarfile.open(tmp_path / "image.tar", "w") as tar:
        for name, value in files.items():
            data = json.dumps(value).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    assert list_layers(tmp_path / "image.tar") == ["sha256:22", "sha256:33"]


def test_packages_are_counted_by_kind() -> None:
    urls = ["pkg:pypi/kopf@1", "pkg:deb/debian/libc6@2", "pkg:deb/debian/bash@5", ""]
    assert count_components({"components": [{"purl": url} for url in urls]}) == "2 deb, 1 pypi"
    with pytest.raises(ReleaseError, match="lists no package"):
        count_components({"components": [{"name": "a file"}]})


def test_licences_of_an_image_are_listed() -> None:
    licenses = [{"license": {"id": "MIT"}}, {"license": {"name": "public-domain"}}, {"expression": "A OR B"}]
    component = {"name": "new", "version": "1", "purl": "pkg:deb/debian/new@1", "licenses": licenses}
    assert "| new | 1 | MIT, public-domain, A OR B |" in list_licenses({"components": [component]})


@pytest.fixture
def schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A schema in place of CycloneDX's, which refers to a file beside it, and to one that nobody has."""
    monkeypatch.setenv("SUNDIAL_CACHE", str(tmp_path))
    folder = tmp_path / "bin" / "syft.d"
    folder.mkdir(parents=True)
    signature = {"$ref": "jsf-0.82.schema.json#/definitions/signature"}
    terms = {"type": "array", "items": {"properties": {"license": {"$ref": "spdx.schema.json"}}}}
    properties = {"bomFormat": {"const": "CycloneDX"}, "signature": signature, "components": terms}
    text = {
        "$id": "http://cyclonedx.org/schema/bom.json",
        "properties": properties,
        "required": ["bomFormat"],
    }
    (folder / "cyclonedx.json").write_text(json.dumps(text))
    (folder / "spdx.schema.json").write_text('{"enum": ["MIT"]}')
    return tmp_path


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"bomFormat": "other"}, "bomFormat"),
        ({"components": [{"purl": "pkg:pypi/kopf@1", "license": "no"}]}, "components/0/license"),
        ({"signature": {}}, "signature"),
    ],
)
def test_a_bill_of_materials_is_checked_by_its_schema(
    schema: Path, change: dict[str, Any], place: str
) -> None:
    good = {"bomFormat": "CycloneDX", "components": [{"purl": "pkg:pypi/kopf@1", "license": "MIT"}]}
    file = schema / "sbom.json"
    file.write_text(json.dumps(good))
    assert check_sbom(file) == "1 pypi"
    file.write_text(json.dumps(good | change))
    with pytest.raises(ReleaseError, match=f"^sbom.json is no CycloneDX at {place}: "):
        check_sbom(file)


def test_all_that_is_signed_is_named_by_digest() -> None:
    image, chart = f"{PLACE.image}@{DIGEST}", f"{PLACE.chart}@{DIGEST}"
    commands = sign_commands(image, chart, Path("/out"))
    assert {command[-1] for command in commands} == {image, chart}
    assert [command[1] for command in commands if command[-1] == chart] == ["sign", "attest"]
    said = [command[4] for command in commands if command[1] == "attest" and command[-1] == image]
    assert said == ["slsaprovenance1", "cyclonedx", "cyclonedx"]


def test_what_is_attested_is_what_was_written() -> None:
    written = {str(path) for path in sbom_commands("image", Path("/out"))}
    commands = sign_commands("image", "chart", Path("/out"))
    attested = {command[6] for command in commands if command[1] == "attest"}
    assert attested == written | {"/out/provenance-predicate.json"}


def test_the_image_is_built_for_both_platforms_on_the_pinned_base_with_the_commits_time() -> None:
    build, push = build_commands(CANDIDATE, PLACE, "localhost/new", Path("/out/note"))
    assert "linux/amd64,linux/arm64" in build
    assert f"BASE={PLACE.base}" in build
    assert "--timestamp=7" in build
    assert build[build.index("--manifest") + 1] == push[-2] == "localhost/new"
    assert push[-1] == "docker://registry.example:5000/team/sundial:0.2.0"
    assert push[4:6] == ("--digestfile", "/out/note")


@pytest.mark.parametrize("registry", ["", "https://registry.example/team", "registry.example/team/"])
def test_where_to_push_has_no_scheme_and_no_end(registry: str) -> None:
    with pytest.raises(ReleaseError, match=r"^Say where to push"):
        check_destination(Destination(registry, PLACE.base))


@pytest.mark.parametrize("base", ["", "python:3.13-slim-bookworm", "python@sha256:1"])
def test_the_base_is_pinned_by_digest(base: str) -> None:
    with pytest.raises(ReleaseError, match=r"^The base image is pinned by digest"):
        check_destination(Destination(PLACE.registry, base))


def test_a_good_destination_is_taken() -> None:
    check_destination(PLACE)


def test_a_push_that_tells_no_digest_is_an_error() -> None:
    assert find_digest(f"Pushed: registry.example/charts/sundial:0.2.0\nDigest: {DIGEST}\n") == DIGEST
    with pytest.raises(ReleaseError, match=r"^The push told no digest, so it has failed: denied"):
        find_digest("denied")


def test_a_command_is_shown_with_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(("sh", "-c", "echo $SOURCE_DATE_EPOCH; echo b >&2"), 7)
    assert said == "7\nb\n"
    assert capsys.readouterr().out == "$ sh -c 'echo $SOURCE_DATE_EPOCH; echo b >&2'\n7\nb\n"


def test_the_first_command_that_fails_ends_a_release(tmp_path: Path) -> None:
    last = tmp_path / "last"
    with pytest.raises(ReleaseError, match=r"^sh failed:\nwhy$"):
        run_all([("true",), ("sh", "-c", "echo why; exit 1"), ("touch", str(last))])
    assert not last.exists()
