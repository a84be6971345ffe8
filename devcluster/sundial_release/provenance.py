"""From what was a release built, and by whom? An in-toto statement with SLSA's provenance, version 1."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://sundial.dev/release/v1"
"""Described in docs/releasing.md, "Provenance"."""
LOCAL_BUILDER, LOCAL_REPOSITORY = "https://sundial.dev/release/local", "file:///sundial"
LOCKS = ("requirements.build.lock", "requirements.runtime.lock", "requirements.lock")

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """What a release is built from; digests of files are sha256, in hex."""

    repository: str
    commit: str
    version: str
    epoch: int
    base: str
    base_digest: str
    locks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Builder:
    """Who builds: the identity of a workflow and its run, or a maintainer's machine."""

    id: str = LOCAL_BUILDER
    run: str | None = None


def find_builder(environment: Mapping[str, str] = os.environ) -> Builder:
    """Find the workflow in whose run this is, or the local builder."""
    server, workflow = environment.get("GITHUB_SERVER_URL"), environment.get("GITHUB_WORKFLOW_REF")
    if not server or not workflow:
        return Builder()
    run = "/".join((environment["GITHUB_REPOSITORY"], "actions/runs", environment["GITHUB_RUN_ID"]))
    return Builder(f"{server}/{workflow}", f"{server}/{run}")


def find_repository(environment: Mapping[str, str] = os.environ) -> str:
    """Find the URL of the sources: that of the workflow, or one that says that they are local."""
    server, name = environment.get("GITHUB_SERVER_URL"), environment.get("GITHUB_REPOSITORY")
    return f"{server}/{name}" if server and name else LOCAL_REPOSITORY


def build_statement(source: Source, subjects: Mapping[str, str], builder: Builder) -> JsonObject:
    """Build the statement; `subjects` are names and their digests, sha256:... as registries write them."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": _as_digest_set(digest)} for name, digest in subjects.items()],
        "predicateType": PREDICATE,
        "predicate": build_predicate(source, builder),
    }


def build_predicate(source: Source, builder: Builder) -> JsonObject:
    """Build SLSA's predicate; it has no time, so that the same commit gives the same."""
    repository = f"git+{source.repository}"
    locks = [
        {"uri": f"{repository}#{name}", "digest": {"sha256": found}} for name, found in source.locks.items()
    ]
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {"repository": source.repository, "ref": f"v{source.version}"},
            "internalParameters": {"SOURCE_DATE_EPOCH": source.epoch},
            "resolvedDependencies": [
                {"uri": repository, "digest": {"gitCommit": source.commit}},
                {"uri": source.base, "digest": _as_digest_set(source.base_digest)},
                *locks,
            ],
        },
        "runDetails": {
            "builder": {"id": builder.id},
            **({"metadata": {"invocationId": builder.run}} if builder.run else {}),
        },
    }


def hash_locks(root: Path) -> dict[str, str]:
    """Hash the locks, which pin everything that is installed."""
    return {name: hash_file(root / name).removeprefix("sha256:") for name in LOCKS}


def hash_file(path: Path) -> str:
    """Return a file's digest as registries write it."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _as_digest_set(digest: str) -> dict[str, str]:
    algorithm, _, value = digest.partition(":")
    return {algorithm: value}
