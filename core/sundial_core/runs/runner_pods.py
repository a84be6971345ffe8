"""What makes a Pod of a user's template call a function or send a Celery task: the runner in one container.

The rules: docs/semantics.md, "Functions and Celery tasks". Everything here is the same for all attempts of a
run, so that the Job of a retry, which copies it, is right too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sundial_core.resources import names
from sundial_core.resources.plans import Plan
from sundial_core.resources.raw import JsonObject
from sundial_core.resources.runner_templates import MOUNT_PATH, VOLUME, choose_container, read_pod
from sundial_core.resources.specs import CeleryHandler, Handler
from sundial_core.runs.runner_archive import RunnerArchive, build_archive, build_program, read_sources

NOT_RUNNABLE = 78
"""The runner's exit code where path, arguments, Celery or its application do not fit: EX_CONFIG."""

MESSAGE_BYTES = 4096
ALL_MESSAGES_BYTES = 12288
"""What the kubelet keeps of the termination messages of one container, and of a Pod."""

DEFAULT_GRACE_SECONDS = 30
MOST_DISPATCH_SECONDS = 30
CELERY_TASK_VARIABLE = "SUNDIAL_CELERY_TASK"


@dataclass(frozen=True, slots=True)
class RunnerPlace:
    """Where a Pod has the runner: the container that runs it, and the ConfigMap that holds it."""

    container: JsonObject
    config_map: str


@lru_cache(maxsize=1)
def read_archive() -> RunnerArchive:
    """Read the runner of this release."""
    return build_archive(read_sources())


def build_template(plan: Plan) -> JsonObject:
    """Build the template of a plan's Jobs: the user's, with the runner for a function or a Celery task."""
    handler = plan.handler
    if handler is None or not handler.needs_runner:
        return plan.template
    pod = read_pod(plan.template)
    chosen = choose_container(pod)
    assert chosen is not None, "a template is checked when its plan is compiled"
    variables = build_variables(handler, pod, chosen, plan.timeout_seconds)
    digest = read_archive().digest
    with_runner = _build_container(chosen, variables, digest)
    spec = plan.template["spec"]
    pods = spec["template"] | {
        "spec": {"automountServiceAccountToken": False}
        | pod
        | {
            "containers": [with_runner if c is chosen else c for c in pod["containers"]],
            "volumes": [*(pod.get("volumes") or ()), _build_volume(digest)],
        }
    }
    return plan.template | {"spec": spec | {"template": pods}}


def build_variables(
    handler: Handler, pod: Mapping[str, Any], chosen: Mapping[str, Any], timeout_seconds: int
) -> dict[str, str]:
    """Build the variables of the chosen container alone: what to run, within which limits."""
    grace = pod.get("terminationGracePeriodSeconds")
    count = len(pod.get("containers") or ()) + len(pod.get("initContainers") or ())
    variables = _name_work(handler) | {
        "SUNDIAL_TIMEOUT_SECONDS": str(timeout_seconds),
        "SUNDIAL_GRACE_SECONDS": str(DEFAULT_GRACE_SECONDS if grace is None else grace),
        "SUNDIAL_DISPATCH_SECONDS": f"{min(MOST_DISPATCH_SECONDS, timeout_seconds / 2):g}",
        # one more container, for a sidecar that a mesh adds
        "SUNDIAL_MESSAGE_BYTES": str(min(MESSAGE_BYTES, ALL_MESSAGES_BYTES // (count + 1))),
    }
    if chosen.get("terminationMessagePath"):
        variables["SUNDIAL_MESSAGE_PATH"] = str(chosen["terminationMessagePath"])
    return variables


def find_runner(pod: Mapping[str, Any]) -> RunnerPlace | None:
    """Find where a Pod has the runner, by its spec: in the container that mounts our volume at our path."""
    held = [volume for volume in pod.get("volumes") or () if volume.get("name") == VOLUME]
    if not held:
        return None
    config_map = str((held[0].get("configMap") or {}).get("name", ""))
    mounting = (container for container in pod.get("containers") or () if _mounts_runner(container))
    container = next(mounting, None)
    return RunnerPlace(container, config_map) if container is not None and config_map else None


def build_celery_mark(run_id: str, attempt: int, pod: Mapping[str, Any]) -> dict[str, str]:
    """Build the annotation with the id of the Celery task that an attempt sends; none where it sends none."""
    place = find_runner(pod)
    if place is None or not _has_variable(place.container, CELERY_TASK_VARIABLE):
        return {}
    return {names.CELERY_TASK: names.build_celery_task_id(run_id, attempt)}


def build_env(variables: Mapping[str, str]) -> list[JsonObject]:
    """Build entries of `env`; `$` is doubled because Kubernetes expands `$(NAME)`."""
    return [{"name": name, "value": value.replace("$", "$$")} for name, value in variables.items()]


def _name_work(handler: Handler) -> dict[str, str]:
    if handler.celery is None:
        assert handler.function is not None
        return {"SUNDIAL_FUNCTION": handler.function.path}
    return _name_task(handler.celery)


def _name_task(celery: CeleryHandler) -> dict[str, str]:
    named = {"SUNDIAL_CELERY_QUEUE": celery.queue, "SUNDIAL_CELERY_APP": celery.app}
    return {
        CELERY_TASK_VARIABLE: celery.task,
        **{name: value for name, value in named.items() if value is not None},
        "SUNDIAL_CELERY_WAIT": "true" if celery.wait else "false",
    }


def _build_container(chosen: JsonObject, variables: Mapping[str, str], digest: str) -> JsonObject:
    kept = [entry for entry in chosen.get("env") or () if entry.get("name") not in variables]
    mount = {"name": VOLUME, "mountPath": MOUNT_PATH, "readOnly": True}
    container = chosen | {
        "command": [*(chosen.get("command") or ["python3"]), "-c", build_program(digest)],
        "terminationMessagePolicy": "File",  # never the log: that is not redacted
        "env": build_env(variables) + kept,
        "volumeMounts": [*(chosen.get("volumeMounts") or ()), mount],
    }
    container.pop("args", None)
    return container


def _build_volume(digest: str) -> JsonObject:
    return {"name": VOLUME, "configMap": {"name": names.build_runner_name(digest)}}


def _mounts_runner(container: Mapping[str, Any]) -> bool:
    mounts: Iterable[Mapping[str, Any]] = container.get("volumeMounts") or ()
    return any((mount.get("name"), mount.get("mountPath")) == (VOLUME, MOUNT_PATH) for mount in mounts)


def _has_variable(container: Mapping[str, Any], name: str) -> bool:
    return any(entry.get("name") == name for entry in container.get("env") or ())
