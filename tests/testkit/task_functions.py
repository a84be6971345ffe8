"""TaskFunctions as tests write them, and what their statuses say."""

from __future__ import annotations

from typing import Any

from testkit.processes.operators import JsonObject, Sundial

FUNCTION = {"function": {"path": "samples.report"}}


def build_function(
    name: str, handler: JsonObject | None = None, container: JsonObject | None = None, /, **pod: Any
) -> JsonObject:
    """Build a TaskFunction of one container; `pod` are more fields of the Pod's spec."""
    main = {"name": "main", "image": "localhost/box:1"} | (container or {})
    template = {"spec": {"template": {"spec": {"containers": [main]} | pod}}}
    return {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "TaskFunction",
        "metadata": {"name": name},
        "spec": {"handler": handler or FUNCTION, "template": template},
    }


def read_function(sundial: Sundial, name: str) -> JsonObject:
    """Read a TaskFunction."""
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{sundial.ns}/taskfunctions/{name}"
    item: JsonObject = sundial.cluster.get_json(path)
    return item


def read_ready(sundial: Sundial, name: str) -> JsonObject:
    """Read its condition Ready; empty while there is none."""
    conditions = read_function(sundial, name).get("status", {}).get("conditions", [{}])
    ready: JsonObject = conditions[0]
    return ready
