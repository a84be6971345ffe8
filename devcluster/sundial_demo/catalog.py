"""The service catalog of the examples beside the demo's schedules: functions, tasks, and a worker for these.

It needs images that only the local cluster can be given, and containers that really run.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from sundial_demo.ground import Ground, Report
from sundial_demo.installation import NAMESPACE, dump
from sundial_devcluster.application_images import CATALOG, ensure_catalog_image, ensure_redis_image

WORKLOADS = ("Service", "Secret", "Deployment")
ELSEWHERE = "on a cluster of your own: examples/service-catalog/README.md"


def add_catalog(ground: Ground, report: Report) -> None:
    """Load the images and create what the catalog has; its worker may come up later than this returns."""
    report("making the images of the service catalog (half a minute, once) and loading them")
    for archive in (ensure_redis_image(), ensure_catalog_image()):
        ground.load_image(archive)
    report("starting the service catalog: a Redis, a Celery worker, six task functions, four schedules")
    manifests = read_catalog(ground)
    workloads = [one for one in manifests if one["kind"] in WORKLOADS]
    ground.kubectl("create", "-f", "-", text=dump([one for one in workloads if one["kind"] != "Secret"]))
    service = json.loads(ground.kubectl("get", "service/redis", f"--namespace={NAMESPACE}", "-o", "json"))
    secrets = [name_redis(one, service["spec"]["clusterIP"]) for one in workloads if one["kind"] == "Secret"]
    rest = [one for one in manifests if one["kind"] not in WORKLOADS]
    ground.kubectl("create", "-f", "-", text=dump([*secrets, *rest]))


def read_catalog(ground: Ground) -> list[dict[str, Any]]:
    """Read the manifests as kubectl builds them, moved to the demo's namespace."""
    built = yaml.safe_load_all(ground.kubectl("kustomize", str(CATALOG)))
    manifests = [one for one in built if one["kind"] != "Namespace"]
    for one in manifests:
        one["metadata"]["namespace"] = NAMESPACE
    return manifests


def name_redis(secret: dict[str, Any], address: str) -> dict[str, Any]:
    """Name Redis by its address: with DEMO=processes the local cluster resolves no names."""
    urls = {key: url.replace("//redis:", f"//{address}:") for key, url in secret["stringData"].items()}
    return {**secret, "stringData": urls}
