"""The ConfigMap that brings the runner into a namespace: immutable, and named by what it holds."""

from __future__ import annotations

import base64

from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject
from sundial_core.runs.runner_archive import RunnerArchive

FILE = "runner.pyz"


def build_config_map(archive: RunnerArchive, ns: str = "", owner: JsonObject | None = None) -> JsonObject:
    """Build the manifest; with an `owner`, an object that is read whole, it goes when that goes."""
    metadata: JsonObject = {"name": names.build_runner_name(archive.digest)}
    if ns:
        metadata["namespace"] = ns
    metadata["labels"] = {names.MANAGED_BY: "sundial"}
    if owner is not None:
        metadata["ownerReferences"] = [_refer_to(owner)]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "immutable": True,
        "binaryData": {FILE: base64.b64encode(archive.data).decode()},
    }


def _refer_to(owner: JsonObject) -> JsonObject:
    metadata = owner["metadata"]
    named = {"name": metadata["name"], "uid": metadata["uid"]}
    return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], **named}
