"""What of an object is the user's, to be applied again? Spec, name and marks, and nothing that was added."""

from __future__ import annotations

from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOT_THE_USERS = frozenset(
    {
        *(names.CREATED_BY, names.UPDATED_BY, names.UPDATED_AT, names.UPDATED_STATE),
        *(names.REQUEST_DIGEST, names.CANCEL, names.RESTORE, LAST_APPLIED),
    }
)
"""Signatures of the API, which nobody else may write; what was said once, of a slot or by a restore."""


def build_manifest(item: JsonObject) -> JsonObject:
    """Build the manifest of an object; a pause stays, as it is what its users want now."""
    metadata = item["metadata"]
    labels = _keep(metadata.get("labels"))
    annotations = _keep(metadata.get("annotations"))
    marks = {name: kept for name, kept in (("labels", labels), ("annotations", annotations)) if kept}
    return {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]} | marks,
        "spec": item["spec"],
    }


def _keep(marks: dict[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in (marks or {}).items() if name not in NOT_THE_USERS}
