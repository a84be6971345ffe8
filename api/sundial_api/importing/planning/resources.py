"""What is planned for a function or a job of the original: a manifest, or why there is none."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from sundial_api.importing.planning.instants import InstantComparison
from sundial_api.jobs.manifests import build_slug
from sundial_core.resources.names import IMPORTED_FROM
from sundial_core.resources.raw import JsonObject
from sundial_kube.resources import Resource

SNAKE_CASE = re.compile("[a-z0-9]+(_[a-z0-9]+)*")
MAX_PLAIN_CHARS = 63


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """A function or a job of the original and what becomes of it; without a manifest `problem` says why."""

    resource: Resource
    original_id: str
    title: str
    namespace: str = ""
    name: str = ""
    manifest: JsonObject | None = None
    problem: str = ""
    notes: tuple[str, ...] = ()
    function_id: str | None = None
    """Of a job, the id of its function in the original."""
    is_enabled: bool = False
    """Whether the original ran it."""
    instants: InstantComparison = field(default_factory=InstantComparison)


def build_manifest(resource: Resource, ns: str, name: str, original_id: str, spec: JsonObject) -> JsonObject:
    """Build a manifest that says which row of the original it is of."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"namespace": ns, "name": name, "annotations": {IMPORTED_FROM: original_id}},
        "spec": spec,
    }


def name_function(name: str) -> str:
    """Name the resource of a function by its unique name: the same name each time, and no two alike."""
    if SNAKE_CASE.fullmatch(name) and len(name) <= MAX_PLAIN_CHARS:
        return name.replace("_", "-")
    return f"{build_slug(name)}-{_hash(name)}"


def name_job(name: str, original_id: str) -> str:
    """Name the resource of a job: names may be alike there, and change; ids do not."""
    return f"{build_slug(name)}-{_hash(original_id)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
