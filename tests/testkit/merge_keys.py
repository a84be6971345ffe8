"""What kustomize has to know to merge lists by their keys: written from what an API server serves.

A schema that a kustomization names takes the place of the one that kustomize has, so the built-in kinds are
in it too. `python -m testkit.merge_keys KUBECONFIG` writes the file again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sundial_devcluster.kubectl import run_kubectl

FILE = Path("gitops/kustomize/schema.json")
KEPT = {"type", "properties", "items", "$ref", "additionalProperties", "x-kubernetes-group-version-kind"}
PATCHES = "x-kubernetes-patch-"
REF = "#/definitions/"
JOB_TEMPLATE = {"$ref": f"{REF}io.k8s.api.batch.v1.JobTemplateSpec"}
METADATA = {"$ref": f"{REF}io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
JsonObject = dict[str, Any]


def build_text(document: JsonObject) -> str:
    """Build the file from the OpenAPI 2 document of an API server."""
    built_in = {name: one for name, one in document["definitions"].items() if name.startswith("io.k8s.")}
    slim = {name: prune(one) for name, one in sorted(built_in.items())}
    kinds = [name for name, one in slim.items() if "x-kubernetes-group-version-kind" in one]
    needed = find_all(slim, [*kinds, JOB_TEMPLATE["$ref"].removeprefix(REF)])
    ours = {f"dev.sundial.v1alpha1.{kind}": build_own(kind) for kind in ("ScheduledJob", "TaskFunction")}
    definitions = {name: one for name, one in slim.items() if name in needed} | ours
    return json.dumps({"definitions": definitions}, separators=(",", ":"), sort_keys=True) + "\n"


def build_own(kind: str) -> JsonObject:
    """Build what is said of a kind whose spec has the template of a Job."""
    spec = {"type": "object", "properties": {"template": JOB_TEMPLATE}}
    return {
        "type": "object",
        "properties": {"metadata": METADATA, "spec": spec},
        "x-kubernetes-group-version-kind": [{"group": "sundial.dev", "version": "v1alpha1", "kind": kind}],
    }


def prune(schema: JsonObject) -> JsonObject:
    """Leave out what says nothing of merging, such as descriptions."""
    kept = {key: one for key, one in schema.items() if key in KEPT or key.startswith(PATCHES)}
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = prune(kept[key])
    if "properties" in kept:
        kept["properties"] = {name: prune(one) for name, one in kept["properties"].items()}
    return kept


def find_all(definitions: JsonObject, names: list[str]) -> set[str]:
    """Find the definitions that some need, themselves among them."""
    found: set[str] = set()
    while names:
        name = names.pop()
        if name not in found:
            found.add(name)
            names += [ref.removeprefix(REF) for ref in list_refs(definitions[name])]
    return found


def list_refs(schema: Any) -> list[str]:
    """List the references anywhere in a schema."""
    if isinstance(schema, list):
        return [ref for one in schema for ref in list_refs(one)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
    return own + [ref for one in schema.values() for ref in list_refs(one)]


def main() -> None:
    """Write the file from a cluster."""
    text = run_kubectl(Path(sys.argv[1]), ("get", "--raw", "/openapi/v2"))
    FILE.write_text(build_text(json.loads(text)))


if __name__ == "__main__":
    main()
