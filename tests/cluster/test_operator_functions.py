"""The status of a TaskFunction: whether jobs can run it, and which do."""

from __future__ import annotations

import json

from testkit.processes.operators import Sundial, build_scheduled_job
from testkit.task_functions import read_function, read_ready

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


def _ready(sundial: Sundial, name: str) -> str:
    return str(read_ready(sundial, name).get("reason"))


def test_users_are_counted_and_named_in_few_writes(sundial: Sundial) -> None:
    _apply(sundial, "shared")
    until(lambda: _ready(sundial, "shared") == "Accepted")
    before = int(read_function(sundial, "shared")["metadata"]["resourceVersion"])
    for n in range(12):
        sundial.apply(build_scheduled_job(f"user-{n:02}", YEARLY, taskFunctionRef={"name": "shared"}))
    until(lambda: read_function(sundial, "shared")["status"]["usedBy"]["count"] == 12)
    assert read_function(sundial, "shared")["status"]["usedBy"]["names"] == [
        f"user-{n:02}" for n in range(10)
    ]
    sundial.cluster.kubectl("delete", "sj", "-n", sundial.ns, *(f"user-{n:02}" for n in range(12)))
    until(lambda: read_function(sundial, "shared")["status"]["usedBy"]["count"] == 0)
    item = read_function(sundial, "shared")
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
    before = read_function(sundial, "odd")["status"]
    patch = json.dumps({"status": {"conditions": [*before["conditions"], {"type": "Odd", "status": "True"}]}})
    sundial.cluster.kubectl(
        *("patch", "tf", "odd", "-n", sundial.ns, "--subresource=status", "--type=merge", "-p", patch)
    )
    until(lambda: read_function(sundial, "odd")["status"] == before)
