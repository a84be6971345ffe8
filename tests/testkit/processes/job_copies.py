"""What anybody who may create Jobs can do: copy one of ours, with all its marks and the same controller."""

from __future__ import annotations

import json

from testkit.processes.operators import JsonObject, Sundial

OURS = ("sundial.dev/", "app.kubernetes.io")


def copy_job(sundial: Sundial, job: JsonObject, ns: str, name: str) -> None:
    """Create a copy of a Job by hand."""
    kept = ("labels", "annotations", "ownerReferences")
    metadata = {field: job["metadata"][field] for field in kept} | {"name": name, "namespace": ns}
    spec = {field: value for field, value in job["spec"].items() if field != "selector"}
    for labelled in (metadata, spec["template"]["metadata"]):
        labels = labelled["labels"]
        labelled["labels"] = {label: labels[label] for label in labels if label.startswith(OURS)}
    copied = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
    sundial.cluster.kubectl("create", "-f", "-", input=json.dumps(copied))
