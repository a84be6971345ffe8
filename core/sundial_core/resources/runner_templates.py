"""In which container of a template does the runner run, and what stands in its way there?

The rule: docs/semantics.md, "Functions and Celery tasks". What it adds to a Pod is in `runs/runner_pods.py`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from sundial_core.resources.raw import JsonObject

MAIN = "main"
VOLUME = "sundial-runner"
MOUNT_PATH = "/sundial"

MOST_CONTAINERS = 100
"""How many containers a template may have, init containers included: each one gets the arguments."""

_POD = "spec.template.spec.template.spec"


def find_excess(template: JsonObject) -> str:
    """Say that a template has more containers than it may; empty otherwise."""
    pod = read_pod(template)
    count = len(pod.get("containers") or ()) + len(pod.get("initContainers") or ())
    if count <= MOST_CONTAINERS:
        return ""
    return f"{_POD}.containers: {count} containers and init containers; at most {MOST_CONTAINERS} are allowed"


def find_obstacle(template: JsonObject) -> str:
    """Say why the runner cannot run in a template, and what to write instead; empty where it can."""
    pod = read_pod(template)
    container = choose_container(pod)
    if container is None:
        return f"{_POD}.containers: name the container that has the code {MAIN}, or keep only that one"
    place = f"{_POD}.containers[{container.get('name', '')}]"
    if not container.get("image"):
        return f"{place}.image: is required; it is the image that has the code"
    if container.get("args"):
        return (
            f"{place}.args: remove it; the function gets spec.args of the ScheduledJob, and command names the"
            " Python, as in [/venv/bin/python]"
        )
    if any(volume.get("name") == VOLUME for volume in pod.get("volumes") or ()):
        return f"{_POD}.volumes: the name {VOLUME} is Sundial's; give your volume another one"
    taken = [path for path in _list_paths(container) if _is_in_the_way(path)]
    if taken:
        return f"{place}: {taken[0]} is where Sundial mounts the runner; mount yours outside of {MOUNT_PATH}"
    return ""


def choose_container(pod: Mapping[str, Any]) -> JsonObject | None:
    """Choose the container in which the runner runs: the one named main, else the only one."""
    containers: list[JsonObject] = pod.get("containers") or []
    named = [container for container in containers if container.get("name") == MAIN]
    chosen = named or (containers if len(containers) == 1 else [])
    return chosen[0] if chosen else None


def read_pod(template: JsonObject) -> JsonObject:
    """Read the Pod's spec of a Job template."""
    pod: JsonObject = ((template.get("spec") or {}).get("template") or {}).get("spec") or {}
    return pod


def _list_paths(container: Mapping[str, Any]) -> list[str]:
    mounts = [str(mount.get("mountPath", "")) for mount in container.get("volumeMounts") or ()]
    return mounts + [str(device.get("devicePath", "")) for device in container.get("volumeDevices") or ()]


def _is_in_the_way(path: str) -> bool:
    real = "/" + posixpath.normpath(path).lstrip("/")
    return real == MOUNT_PATH or real.startswith(f"{MOUNT_PATH}/")
