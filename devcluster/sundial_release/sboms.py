"""What is in the image, as a bill of materials (CycloneDX)? syft writes it, its schema checks it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema_rs

from sundial_devcluster.programs import SYFT_FILES, locate_programs, syft_folder
from sundial_release.errors import ReleaseError
from sundial_release.shell import Command

FORMAT = "cyclonedx-json@1.7"
NOT_WRITTEN: dict[str, Any] = {
    "jsf-0.82.schema.json": {"definitions": {"signature": False}},
    "cryptography-defs.schema.json": {
        "definitions": {"algorithmFamiliesEnum": False, "ellipticCurvesEnum": False}
    },
}
"""Schemas of signatures and algorithms, which syft neither writes nor brings: nothing of theirs is taken."""


def scan_command(source: str, target: Path, *more: str) -> Command:
    """Return the command that lists what is in an image, `oci-archive:FILE` or `registry:NAME`."""
    syft = str(locate_programs(["syft"])["syft"])
    packages = ("--select-catalogers", "-file", "--output", f"{FORMAT}={target}")
    return (syft, "scan", source, *more, "--quiet", *packages)


def check_sbom(path: Path) -> str:
    """Check a bill of materials and tell what it lists; raises ReleaseError with the first wrong place."""
    listed = json.loads(path.read_text())
    schema = json.loads((syft_folder() / SYFT_FILES[0]).read_text())
    validator = jsonschema_rs.Draft7Validator(schema, retriever=_find_schema)
    for error in validator.iter_errors(listed):
        place = "/".join(str(part) for part in error.instance_path)
        raise ReleaseError(f"{path.name} is no CycloneDX at {place}: {error.message[:200]}")
    return count_components(listed)


def count_components(listed: Any) -> str:
    """Count the packages of a bill of materials by kind."""
    urls = [component.get("purl", "") for component in listed["components"]]
    kinds = Counter(url.removeprefix("pkg:").partition("/")[0] for url in urls if url)
    if not kinds:
        raise ReleaseError("The bill of materials lists no package.")
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def list_licenses(listed: Any) -> str:
    """List what an image has of packages, a line each with version and licences, as a table of Markdown."""
    found = [one for one in listed["components"] if one.get("purl")]
    rows = [
        f"| {one['name']} | {one.get('version', '')} | {', '.join(_name_licenses(one))} |"
        for one in sorted(found, key=lambda one: (one["purl"].partition("/")[0], one["name"]))
    ]
    return "\n".join(("| package | version | licences |", "|---|---|---|", *rows, ""))


def _name_licenses(component: Any) -> list[str]:
    named = [one.get("license", {}) | one for one in component.get("licenses", [])]
    return [one.get("expression") or one.get("id") or one.get("name", "") for one in named]


def _find_schema(uri: str) -> Any:
    name = uri.rpartition("/")[2]
    return NOT_WRITTEN[name] if name in NOT_WRITTEN else json.loads((syft_folder() / name).read_text())
