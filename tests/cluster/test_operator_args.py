"""Args that do not fit the parametersSchema of a TaskFunction: who is told, and what ends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from testkit.processes.operators import JsonObject, Sundial, build_scheduled_job

from sundial_devcluster.polling import until

YEARLY = {"cron": "0 0 1 1 *"}
CONTAINER = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "localhost/box:1"}]}}}}
GROUP = "/apis/sundial.dev/v1alpha1"
TOO_FEW = "spec.args.days: is less than the minimum of 1"


def build_schema(minimum: int) -> JsonObject:
    return {"properties": {"days": {"type": "integer", "minimum": minimum}}}


def apply_function(sundial: Sundial, name: str, schema: Any) -> None:
    spec = {"handler": {"container": {}}, "template": CONTAINER, "parametersSchema": schema}
    metadata = {"name": name}
    sundial.apply(
        {"apiVersion": "sundial.dev/v1alpha1", "kind": "TaskFunction", "metadata": metadata, "spec": spec}
    )


def apply_job(sundial: Sundial, name: str, function: str, days: int, **spec: Any) -> None:
    reference = {"taskFunctionRef": {"name": function}, "args": {"days": days}}
    sundial.apply(build_scheduled_job(name, YEARLY, **reference, **spec))


def read_function(sundial: Sundial, name: str) -> JsonObject:
    path = f"{GROUP}/namespaces/{sundial.ns}/taskfunctions/{name}"
    status: JsonObject = sundial.cluster.get_json(path).get("status", {})
    return status


def ready(status: JsonObject) -> tuple[str, str]:
    found = (one for one in status.get("conditions", ()) if one["type"] == "Ready")
    condition = next(found, {"reason": "", "message": ""})
    return condition["reason"], condition["message"]


def list_notes(sundial: Sundial, name: str) -> list[str]:
    """List what Events say of a ScheduledJob that is not ready."""
    events = sundial.cluster.get_json(f"/apis/events.k8s.io/v1/namespaces/{sundial.ns}/events")["items"]
    mine = (event for event in events if event["regarding"]["name"] == name)
    return [event["note"] for event in mine if event["reason"] == "NotReady"]


def test_args_that_do_not_fit_are_told_counted_and_mended(sundial: Sundial) -> None:
    apply_function(sundial, "clean-up", build_schema(1))
    apply_job(sundial, "wrong", "clean-up", 0)
    apply_job(sundial, "right", "clean-up", 5)
    until(lambda: ready(sundial.status("wrong")) == ("InvalidArgs", TOO_FEW))
    until(lambda: ready(sundial.status("right"))[0] == "Scheduled")
    until(lambda: list_notes(sundial, "wrong") == [f"InvalidArgs: {TOO_FEW}"])
    until(lambda: read_function(sundial, "clean-up").get("invalidArgs") == 1)
    assert read_function(sundial, "clean-up")["usedBy"]["count"] == 2
    sundial.patch("wrong", {"args": {"days": 1}})
    until(lambda: ready(sundial.status("wrong"))[0] == "Scheduled")
    until(lambda: read_function(sundial, "clean-up")["invalidArgs"] == 0)


def test_an_edit_of_the_schema_reaches_schedules_that_were_accepted(sundial: Sundial) -> None:
    apply_function(sundial, "edited", build_schema(1))
    for number in range(3):
        apply_job(sundial, f"accepted-{number}", "edited", 5)
    until(lambda: all(ready(sundial.status(f"accepted-{n}"))[0] == "Scheduled" for n in range(3)))
    apply_function(sundial, "edited", build_schema(10))
    until(lambda: all(ready(sundial.status(f"accepted-{n}"))[0] == "InvalidArgs" for n in range(3)))
    until(lambda: read_function(sundial, "edited").get("invalidArgs") == 3)
    until(lambda: list_notes(sundial, "accepted-0") != [])
    apply_function(sundial, "edited", build_schema(2))
    until(lambda: all(ready(sundial.status(f"accepted-{n}"))[0] == "Scheduled" for n in range(3)))
    until(lambda: read_function(sundial, "edited").get("invalidArgs") == 0)


def test_a_run_whose_args_do_not_fit_is_not_started(sundial: Sundial) -> None:
    apply_function(sundial, "clean-up", build_schema(1))
    apply_job(sundial, "right", "clean-up", 5)
    until(lambda: ready(sundial.status("right"))[0] == "Scheduled")
    spec = {"scheduledJobName": "right", "args": {"days": 0}}
    metadata = {"name": "asked"}
    sundial.apply(
        {"apiVersion": "sundial.dev/v1alpha1", "kind": "ScheduledJobRun", "metadata": metadata, "spec": spec}
    )
    path = f"{GROUP}/namespaces/{sundial.ns}/scheduledjobruns/asked"
    until(lambda: sundial.cluster.get_json(path).get("status", {}).get("reason") == "InvalidArgs")
    status = sundial.cluster.get_json(path)["status"]
    assert (status["verdict"], status["result"], status["message"]) == ("Skipped", "Failed", TOO_FEW)
    assert sundial.cluster.get_json(f"/apis/batch/v1/namespaces/{sundial.ns}/jobs")["items"] == []


def test_a_schema_that_cannot_be_used_hurts_only_its_own_jobs(sundial: Sundial) -> None:
    """What the API server takes from a tenant: references without an end, two to the power of 40 of them."""
    names = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    apply_function(sundial, "endless", {"$ref": "#"})
    apply_function(sundial, "doubling", {"$defs": names | {"d40": {"type": "integer"}}, "$ref": "#/$defs/d0"})
    apply_function(sundial, "mistyped", {"properties": {"days": {"type": "intger"}}})
    apply_job(sundial, "user", "mistyped", 5)
    for name in ("endless", "doubling", "mistyped"):
        until(lambda name=name: ready(read_function(sundial, name))[0] == "InvalidParametersSchema")  # type: ignore[misc]
    place = "spec.parametersSchema.properties.days.type: is no type"
    assert ready(read_function(sundial, "mistyped"))[1].startswith(place)
    until(lambda: ready(sundial.status("user"))[1].startswith(f"TaskFunction mistyped: {place}"))
    apply_function(sundial, "mistyped", build_schema(1))
    until(lambda: ready(sundial.status("user"))[0] == "Scheduled")


def run_command(sundial: Sundial, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sundial_operator", "check-args", *options],
        env=os.environ | {"KUBECONFIG": str(sundial.cluster.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_lists_whose_args_do_not_fit(sundial: Sundial) -> None:
    apply_function(sundial, "clean-up", build_schema(1))
    apply_job(sundial, "right", "clean-up", 5)
    assert (run_command(sundial, "-n", sundial.ns)).returncode == 0
    apply_job(sundial, "wrong", "clean-up", 0)
    found = run_command(sundial, "-n", sundial.ns, "-o", "json")
    assert found.returncode == 1
    (finding,) = json.loads(found.stdout)["findings"]
    assert (finding["name"], finding["message"]) == ("wrong", TOO_FEW)
    assert f"{sundial.ns}/wrong (clean-up): InvalidArgs: {TOO_FEW}" in run_command(sundial).stdout
