"""What the states of a Pod's containers say, read from raw JSON: the user's own before all others.

Init containers come before the work, and a mesh adds sidecars when the Pod is admitted. Only the containers
of the Job's template have our variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject

MAIN = "main"
"""The name by which one of several containers of a template is the one that does the work."""


def list_own(pod: JsonObject) -> list[JsonObject]:
    """List the states of the user's own containers, `main` first; all but init containers where none has
    our variables."""
    states = (pod.get("status") or {}).get("containerStatuses") or ()
    own = {container["name"] for container in _list_specs(pod, "containers") if _is_ours(container)}
    mine = [state for state in states if not own or state["name"] in own]
    return sorted(mine, key=lambda state: state["name"] != MAIN)


def has_started(pod: JsonObject) -> bool:
    """Tell whether one of the user's own containers runs or has ended."""
    return any({"running", "terminated"} & set(container.get("state") or ()) for container in list_own(pod))


def list_all(pod: JsonObject) -> list[JsonObject]:
    """List the states of all containers: the user's own first, then init containers, then what was added.

    Native sidecars come last: they are stopped when the work is done, or has failed.
    """
    status, own = pod.get("status") or {}, list_own(pod)
    rest = [state for state in status.get("containerStatuses") or () if state not in own]
    sidecars = _name_native_sidecars(pod)
    others = [*(status.get("initContainerStatuses") or ()), *rest]
    return [*own, *sorted(others, key=lambda state: state["name"] in sidecars)]


def list_failures(pod: JsonObject) -> list[JsonObject]:
    """List the states of those that failed, the user's own first.

    The others' count only in a Pod that failed, and a native sidecar's only where the user's own have not
    ended: else it was stopped, and SIGTERM is no failure.
    """
    if (pod.get("status") or {}).get("phase") != "Failed":
        return _select_failed(list_own(pod))
    sidecars = _name_native_sidecars(pod) if _have_ended(list_own(pod)) else ()
    return [state for state in _select_failed(list_all(pod)) if state["name"] not in sidecars]


def read_end(state: Mapping[str, Any]) -> JsonObject:
    """Read how a container ended; empty while it has not."""
    return (state.get("state") or {}).get("terminated") or {}


def _select_failed(states: Iterable[JsonObject]) -> list[JsonObject]:
    return [state for state in states if read_end(state).get("exitCode", 0) != 0]


def _have_ended(states: list[JsonObject]) -> bool:
    return bool(states) and all(read_end(state) for state in states)


def _name_native_sidecars(pod: JsonObject) -> set[str]:
    """Name the init containers that run beside the work."""
    return {
        container["name"]
        for container in _list_specs(pod, "initContainers")
        if container.get("restartPolicy") == "Always"
    }


def _list_specs(pod: JsonObject, field: str) -> list[JsonObject]:
    return (pod.get("spec") or {}).get(field) or []


def _is_ours(container: Mapping[str, Any]) -> bool:
    return any(entry.get("name") == names.RUN_VARIABLE for entry in container.get("env") or ())
