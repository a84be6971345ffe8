"""What the states of a Pod's containers say, read from raw JSON: the user's own before all others.

Init containers come before the work, and a mesh adds sidecars when the Pod is admitted. Only the containers
of the Job's template have our variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject


def list_own(pod: JsonObject) -> list[JsonObject]:
    """List the states of the user's own containers; all but init containers where none has our variables."""
    states = (pod.get("status") or {}).get("containerStatuses") or ()
    own = {
        container["name"]
        for container in (pod.get("spec") or {}).get("containers") or ()
        if _is_ours(container)
    }
    return [state for state in states if not own or state["name"] in own]


def has_started(pod: JsonObject) -> bool:
    """Tell whether one of the user's own containers runs or has ended."""
    return any({"running", "terminated"} & set(container.get("state") or ()) for container in list_own(pod))


def list_all(pod: JsonObject) -> list[JsonObject]:
    """List the states of all containers: the user's own first, then init containers, then what was added."""
    status, own = pod.get("status") or {}, list_own(pod)
    rest = [state for state in status.get("containerStatuses") or () if state not in own]
    return [*own, *(status.get("initContainerStatuses") or ()), *rest]


def list_failures(pod: JsonObject) -> list[JsonObject]:
    """List the states of those that failed, the user's own first.

    The others' count only in a Pod that failed: a native sidecar is stopped when the work is done.
    """
    has_failed = (pod.get("status") or {}).get("phase") == "Failed"
    return [
        container
        for container in (list_all if has_failed else list_own)(pod)
        if read_end(container).get("exitCode", 0) != 0
    ]


def read_end(state: Mapping[str, Any]) -> JsonObject:
    """Read how a container ended; empty while it has not."""
    return (state.get("state") or {}).get("terminated") or {}


def _is_ours(container: Mapping[str, Any]) -> bool:
    return any(entry.get("name") == names.RUN_VARIABLE for entry in container.get("env") or ())
