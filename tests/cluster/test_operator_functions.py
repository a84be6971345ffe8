"""The status of a TaskFunction: whether jobs can run it, and which do."""

from __future__ import annotations

import json

from testkit.processes.operators import JsonObject, Sundial, build_scheduled_job

from sundial_devcluster.polling import until

YEARLY = {"cron": "0 0 1 1 *"}
CONTAINER = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "localhost/box:1"}]}}}}


def _apply(sundial: Sundial, name: str, /, **spec: str) -> None:
    sundial.apply(
        {
            "apiVersion": "sundial.dev/v1alpha1",
            "kind": "TaskFunction",
            "metadata": {"name": name},
            "spec": {"handler": {"container": {}}, "template": CONTAINER, **spec},
        }
    )


def _read(sundial: Sundial, name: str) -> JsonObject:
    item: JsonObject = sundial.cluster.get_json(
        f"/apis/sundial.dev/v1alpha1/namespaces/{sundial.ns}/taskfunctions/{name}"
    )
    return item


def _ready(sundial: Sundial, name: str) -> str:
    conditions = _read(sundial, name).get("status", {}).get("conditions", [{}])
    return str(conditions[0].get("reason"))


def test_users_are_counted_and_named_in_few_writes(sundial: Sundial) -> None:
    _apply(sundial, "shared")
    until(lambda: _ready(sundial, "shared") == "Accepted")
    before = int(_read(sundial, "shared")["metadata"]["resourceVersion"])
    for n in range(12):
        sundial.apply(build_scheduled_job(f"user-{n:02}", YEARLY, taskFunctionRef={"name": "shared"}))
    until(lambda: _read(sundial, "shared")["status"]["usedBy"]["count"] == 12)
    assert _read(sundial, "shared")["status"]["usedBy"]["names"] == [f"user-{n:02}" for n in range(10)]
    sundial.cluster.kubectl("delete", "sj", "-n", sundial.ns, *(f"user-{n:02}" for n in range(12)))
    until(lambda: _read(sundial, "shared")["status"]["usedBy"]["count"] == 0)
    item = _read(sundial, "shared")
    assert int(item["metadata"]["resourceVersion"]) > before
    assert item["metadata"]["generation"] == item["status"]["observedGeneration"] == 1


def test_a_name_is_kept_by_the_oldest(sundial: Sundial) -> None:
    _apply(sundial, "first", name="report")
    until(lambda: _ready(sundial, "first") == "Accepted")
    _apply(sundial, "second", name="report")
    until(lambda: _ready(sundial, "second") == "DuplicateName")
    sundial.cluster.kubectl("delete", "tf", "-n", sundial.ns, "first")
    until(lambda: _ready(sundial, "second") == "Accepted")


def test_what_cannot_be_read_is_written_anew(sundial: Sundial) -> None:
    """Who may write a status adds a condition without a time; nothing else of it differs."""
    _apply(sundial, "odd")
    until(lambda: _ready(sundial, "odd") == "Accepted")
    before = _read(sundial, "odd")["status"]
    patch = json.dumps({"status": {"conditions": [*before["conditions"], {"type": "Odd", "status": "True"}]}})
    sundial.cluster.kubectl(
        *("patch", "tf", "odd", "-n", sundial.ns, "--subresource=status", "--type=merge", "-p", patch)
    )
    until(lambda: _read(sundial, "odd")["status"] == before)
