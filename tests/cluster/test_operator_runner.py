"""The runner comes into each namespace with a function or a Celery task, before a run needs it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from testkit.operator_accounts import give, log_in
from testkit.processes.operators import JsonObject, Starter, Sundial, build_scheduled_job
from testkit.task_functions import build_function, read_function, read_ready

from sundial_core.runs.runner_archive import build_program
from sundial_core.runs.runner_config_maps import build_config_map
from sundial_core.runs.runner_pods import read_archive
from sundial_devcluster.polling import until
from sundial_kube.permissions import Permission
from sundial_kube.resources import CONFIG_MAPS
from sundial_operator.permissions import list_needed

CELERY = {"celery": {"task": "tasks.ads.sync", "queue": "ads"}}
MANIFEST = build_config_map(read_archive())
NAME: str = MANIFEST["metadata"]["name"]


def read_runners(sundial: Sundial) -> list[JsonObject]:
    """Read the ConfigMaps that are runners."""
    items = sundial.cluster.get_json(f"/api/v1/namespaces/{sundial.ns}/configmaps")["items"]
    return [item for item in items if item["metadata"]["name"].startswith("sundial-runner-")]


def until_ready(sundial: Sundial, name: str, reason: str, timeout: float = 20) -> JsonObject:
    """Wait until Ready has this reason, and return the condition."""
    until(lambda: read_ready(sundial, name).get("reason") == reason, timeout)
    return read_ready(sundial, name)


def until_there(sundial: Sundial, timeout: float = 20) -> JsonObject:
    """Wait until there is one runner, and return it."""
    until(lambda: len(read_runners(sundial)) == 1, timeout)
    return read_runners(sundial)[0]


def print_manifest(ns: str) -> str:
    """Print what people apply where the operator may not."""
    command = [sys.executable, "-m", "sundial_operator", "runner-manifest", "-n", ns]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def delete_runner(sundial: Sundial) -> None:
    sundial.cluster.kubectl("delete", "configmap", NAME, "-n", sundial.ns)


def test_it_comes_with_the_first_function_and_its_status_names_it(start_operator: Starter) -> None:
    sundial = start_operator()
    sundial.apply(build_function("plain", {"container": {}}))
    until_ready(sundial, "plain", "Accepted")
    assert read_runners(sundial) == []
    sundial.apply(build_function("called"))
    until_ready(sundial, "called", "Accepted")
    sundial.apply(build_function("sent", CELERY))
    until_ready(sundial, "sent", "Accepted")
    (found,) = read_runners(sundial)
    assert (found["immutable"], found["binaryData"]) == (True, MANIFEST["binaryData"])
    assert found["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "sundial"}
    assert [read_function(sundial, name)["status"].get("runner") for name in ("called", "sent", "plain")] == [
        NAME,
        NAME,
        None,
    ]


def test_one_that_is_there_is_taken_by_every_leader(start_operator: Starter) -> None:
    sundial = start_operator()
    sundial.cluster.kubectl("apply", "-n", sundial.ns, "-f", "-", input=print_manifest(sundial.ns))
    before = until_there(sundial)["metadata"]["uid"]
    sundial.apply(build_function("called"))
    until_ready(sundial, "called", "Accepted")
    sundial.end()
    sundial.cluster.kubectl("delete", "tf", "called", "-n", sundial.ns)
    sundial.apply(build_function("called"))
    sundial.start()
    until_ready(sundial, "called", "Accepted")
    assert until_there(sundial)["metadata"]["uid"] == before


def test_who_may_not_create_it_leads_and_says_what_to_do(start_operator: Starter) -> None:
    sundial = start_operator()
    sundial.end()
    sundial.settings["KUBECONFIG"] = log_in(sundial, list_needed(sundial.ns, "sundial", (sundial.ns,)))
    sundial.apply(build_function("called"))
    sundial.start()
    message = until_ready(sundial, "called", "RunnerMissing")["message"]
    assert f"the ConfigMap {NAME} cannot be created in this namespace: 403 Forbidden: " in message
    assert f"sundial-operator runner-manifest -n {sundial.ns}" in message
    assert "create configmaps (core)" in sundial.log.read_text()
    give(sundial, "runner", [Permission("create", CONFIG_MAPS, sundial.ns)])
    until_ready(sundial, "called", "Accepted", 40)
    assert until_there(sundial)["binaryData"] == MANIFEST["binaryData"]


def test_one_that_people_have_applied_is_known_by_a_pod_that_started(start_operator: Starter) -> None:
    sundial = start_operator()
    sundial.end()
    sundial.settings["KUBECONFIG"] = log_in(sundial, list_needed(sundial.ns, "sundial", (sundial.ns,)))
    sundial.apply(build_function("called"))
    sundial.start()
    until_ready(sundial, "called", "RunnerMissing")
    sundial.cluster.kubectl("apply", "-n", sundial.ns, "-f", "-", input=print_manifest(sundial.ns))
    sundial.apply(build_scheduled_job("tick", soon(), taskFunctionRef={"name": "called"}))
    until_ready(sundial, "called", "Accepted", 40)


def test_one_that_others_apply_is_no_business_of_an_operator_told_so(start_operator: Starter) -> None:
    sundial = start_operator()
    sundial.end()
    sundial.settings["KUBECONFIG"] = log_in(sundial, list_needed(sundial.ns, "sundial", (sundial.ns,)))
    sundial.settings["SUNDIAL_RUNNER_CONFIG_MAPS"] = "false"
    sundial.log.write_text("")
    sundial.start()
    sundial.apply(build_function("called"))
    until_ready(sundial, "called", "Accepted")
    sundial.apply(build_scheduled_job("tick", soon(), taskFunctionRef={"name": "called"}))
    until(lambda: sundial.jobs("tick"))
    assert read_runners(sundial) == []
    assert "configmaps" not in sundial.log.read_text()


def test_a_quota_is_told_and_what_it_leaves_room_for_is_created(start_operator: Starter) -> None:
    sundial = start_operator()
    kubectl, ns = sundial.cluster.kubectl, sundial.ns
    kubectl("create", "quota", "few", "-n", ns, "--hard=count/configmaps=0")
    until(lambda: "count/configmaps" in str(sundial.cluster.get_json(quota_path(ns)).get("status")))
    sundial.apply(build_function("called"))
    assert "exceeded quota: few" in until_ready(sundial, "called", "RunnerMissing")["message"]
    kubectl("delete", "quota", "few", "-n", ns)
    until_ready(sundial, "called", "Accepted", 60)


def test_it_goes_with_the_role_of_the_operator(start_operator: Starter) -> None:
    sundial = start_operator()
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": []}
    sundial.apply(role | {"metadata": {"name": "sundial-operator"}})
    sundial.apply(build_function("called"))
    (owner,) = until_there(sundial)["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Role", "sundial-operator")
    sundial.cluster.kubectl("delete", "role", "sundial-operator", "-n", sundial.ns)
    until(lambda: read_runners(sundial) == [], 60)


def test_one_that_is_gone_is_made_again_for_a_pod_that_waits(start_operator: Starter) -> None:
    sundial = start_operator()
    sundial.apply(build_function("called"))
    until_there(sundial)
    delete_runner(sundial)
    make_waiting_pod(sundial, NAME)
    until_there(sundial, 40)


def test_a_job_runs_the_runner(start_operator: Starter) -> None:
    sundial = start_operator()
    sundial.apply(build_function("sent", CELERY))
    sundial.apply(build_scheduled_job("tick", soon(), taskFunctionRef={"name": "sent"}, timeoutSeconds=40))
    until(lambda: sundial.jobs("tick"))
    (job,) = sundial.jobs("tick")
    run = job["metadata"]["labels"]["sundial.dev/run"]
    assert job["metadata"]["annotations"]["sundial.dev/celery-task"] == run
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] == ["python3", "-c", build_program(read_archive().digest)]
    assert [volume["configMap"]["name"] for volume in pod["volumes"]] == [NAME]
    env = {entry["name"]: entry.get("value", "") for entry in container["env"]}
    assert next(iter(env)) == "SUNDIAL_RUN_ID"
    expected = {"CELERY_TASK": "tasks.ads.sync", "CELERY_QUEUE": "ads", "DISPATCH_SECONDS": "20"}
    assert {name: env[f"SUNDIAL_{name}"] for name in expected} == expected


def test_a_template_that_the_runner_cannot_run_in_is_told_of_function_and_job(sundial: Sundial) -> None:
    two = build_function("two")
    two["spec"]["template"]["spec"]["template"]["spec"]["containers"] = [{"name": "a"}, {"name": "b"}]
    sundial.apply(two)
    message = until_ready(sundial, "two", "TemplateInvalid")["message"]
    assert message.startswith("spec.template.spec.template.spec.containers: name the container")
    sundial.apply(build_scheduled_job("tick", {"interval": {"hours": 1}}, taskFunctionRef={"name": "two"}))
    sundial.until_ready("tick", "TemplateInvalid")


def quota_path(ns: str) -> str:
    return f"/api/v1/namespaces/{ns}/resourcequotas/few"


def soon() -> JsonObject:
    return {"at": (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0).isoformat()}


def make_waiting_pod(sundial: Sundial, config_map: str) -> None:
    """Make a Pod like ours that no node takes, with the status of one whose volume is not there."""
    mount = {"name": "sundial-runner", "mountPath": "/sundial", "readOnly": True}
    account = sundial.cluster.get_json(f"/api/v1/namespaces/{sundial.ns}/serviceaccounts/default")
    uid = account["metadata"]["uid"]  # of an owner that is not there the garbage collector would ask
    owner = {"apiVersion": "v1", "kind": "ServiceAccount", "name": "default", "uid": uid, "controller": True}
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "waits",
            "labels": {"sundial.dev/scheduled-job-uid": "x"},
            "ownerReferences": [owner],
        },
        "spec": {
            "schedulerName": "nobody",
            "containers": [{"name": "main", "image": "localhost/box:1", "volumeMounts": [mount]}],
            "volumes": [{"name": "sundial-runner", "configMap": {"name": config_map}}],
        },
    }
    sundial.apply(pod)
    state = {"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}
    waits = {"image": "", "imageID": "", "ready": False, "restartCount": 0}
    patch = json.dumps({"status": {"containerStatuses": [state | waits]}})
    path = ("patch", "pod", "waits", "-n", sundial.ns, "--subresource=status", "--type=merge", "-p", patch)
    sundial.cluster.kubectl(*path)
