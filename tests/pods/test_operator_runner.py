"""Functions in real Pods: from the schedule to exit code and message, and what goes wrong on the way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from testkit.node_containers import kill_container
from testkit.processes.operators import JsonObject, Starter, Sundial, build_scheduled_job
from testkit.task_functions import build_function, read_ready

from sundial_core.runs.runner_config_maps import build_config_map
from sundial_core.runs.runner_pods import read_archive
from sundial_devcluster.application_images import ensure_application_image
from sundial_devcluster.cluster import Cluster, KubectlError
from sundial_devcluster.polling import until

NAME: str = build_config_map(read_archive())["metadata"]["name"]
IMAGE = "localhost/runner-tests:1"
CODE = """
import asyncio, os, pathlib

async def clean_up(days):
    await asyncio.sleep(0.01)
    pathlib.Path("/tmp/x").write_text("x")
    return {"deleted": days, "token": os.path.exists("/var/run/secrets/kubernetes.io")}

def fail():
    raise ValueError("لا يوجد")

async def wait_once():
    if os.environ["SUNDIAL_ATTEMPT"] == "1":
        print("waits", flush=True)
        await asyncio.sleep(600)
    return "second"
"""
RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture(scope="module")
def python_cluster(node_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """Give the cluster with a real node, which has an image with a Python and the functions."""
    app = tmp_path_factory.mktemp("app")
    app.chmod(0o755)  # the image has it so, for the account that Pods have
    (app / "services.py").write_text(CODE)
    node_cluster.load_image(ensure_application_image(IMAGE, app))
    return node_cluster


@pytest.fixture
def sundial(python_cluster: Cluster, node_namespace: str, start_node_operator: Starter) -> Sundial:
    """Give a running operator in a namespace that enforces `restricted`."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    python_cluster.kubectl("label", "namespace", node_namespace, label)
    return start_node_operator()


def build_called(name: str, path: str) -> JsonObject:
    """Build a TaskFunction as `restricted` wants it."""
    mounts = [{"name": "tmp", "mountPath": "/tmp"}]
    container = {"image": IMAGE, "securityContext": RESTRICTED, "volumeMounts": mounts}
    volumes = [{"name": "tmp", "emptyDir": {}}]
    return build_function(name, {"function": {"path": path}}, container, volumes=volumes)


def schedule(sundial: Sundial, name: str, path: str, **spec: Any) -> None:
    """Have a function run in a moment."""
    sundial.apply(build_called(name, path))
    until(lambda: read_ready(sundial, name).get("reason") == "Accepted")
    at = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0).isoformat()
    sundial.apply(build_scheduled_job(name, {"at": at}, taskFunctionRef={"name": name}, **spec))


def until_ended(sundial: Sundial, name: str, timeout: float = 60) -> JsonObject:
    """Wait for the end of a run and return its entry in the status."""
    until(lambda: sundial.status(name).get("lastResult"), timeout)
    entry: JsonObject = sundial.status(name)["recentSlots"][0]
    return entry


def list_pods(sundial: Sundial, name: str) -> list[JsonObject]:
    """List the Pods of a schedule, the oldest first."""
    selector = f"labelSelector=sundial.dev/scheduled-job%3D{name}"
    items = sundial.cluster.get_json(f"/api/v1/namespaces/{sundial.ns}/pods?{selector}")["items"]
    return sorted(items, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))


def read_ends(sundial: Sundial, name: str) -> list[JsonObject]:
    """Read how the containers of a schedule's Pods ended, the oldest first."""
    return [pod["status"]["containerStatuses"][0]["state"]["terminated"] for pod in list_pods(sundial, name)]


def wait_running(sundial: Sundial, name: str) -> JsonObject:
    """Wait until the function of a schedule's first Pod waits; return that Pod."""
    job = until(lambda: next(iter(sundial.jobs(name)), None))["metadata"]["name"]

    def is_waiting() -> bool:
        try:
            return "waits" in sundial.cluster.kubectl("logs", "-n", sundial.ns, f"job/{job}")
        except KubectlError:
            return False  # its container has not begun

    until(is_waiting)
    (pod,) = list_pods(sundial, name)
    return pod


def test_an_async_function_runs_as_it_may_in_a_restricted_namespace(sundial: Sundial) -> None:
    schedule(sundial, "clean", "services.clean_up", args={"days": 30})
    assert until_ended(sundial, "clean")["result"] == "Succeeded"
    (end,) = read_ends(sundial, "clean")
    assert end["exitCode"] == 0
    assert json.loads(end["message"]) == {"sundial": 1, "result": {"deleted": 30, "token": False}}


def test_a_run_that_somebody_asks_for_runs_with_its_own_args(sundial: Sundial) -> None:
    sundial.apply(build_called("asked", "services.clean_up"))
    yearly = {"cron": "0 0 1 1 *"}
    sundial.apply(build_scheduled_job("asked", yearly, taskFunctionRef={"name": "asked"}))
    run = {"apiVersion": "sundial.dev/v1alpha1", "kind": "ScheduledJobRun", "metadata": {"name": "now"}}
    sundial.apply(run | {"spec": {"scheduledJobName": "asked", "args": {"days": 7}}})
    until(lambda: [end["exitCode"] for end in read_ends_or_none(sundial, "asked")] == [0], 60)
    assert json.loads(read_ends(sundial, "asked")[0]["message"])["result"]["deleted"] == 7


def read_ends_or_none(sundial: Sundial, name: str) -> list[JsonObject]:
    """Read how containers ended; none while one has not."""
    try:
        return read_ends(sundial, name)
    except KeyError:
        return []


def test_an_error_is_tried_again_and_told(sundial: Sundial) -> None:
    schedule(sundial, "fails", "services.fail", retry={"count": 1, "delaySeconds": 0})
    entry = until_ended(sundial, "fails")
    assert (entry["result"], entry["reason"]) == ("Failed", "Error")
    ends = read_ends(sundial, "fails")
    assert [end["exitCode"] for end in ends] == [1, 1]
    assert json.loads(ends[1]["message"])["error"] == "ValueError: لا يوجد"


def test_a_function_whose_process_is_killed_is_tried_again(sundial: Sundial) -> None:
    schedule(sundial, "killed", "services.wait_once", retry={"count": 1, "delaySeconds": 0})
    kill_container(wait_running(sundial, "killed"))
    entry = until_ended(sundial, "killed")
    assert (entry["result"], len(sundial.jobs("killed"))) == ("Succeeded", 2)
    first, second = read_ends(sundial, "killed")
    assert (first["exitCode"], first.get("message", "")) == (137, "")
    assert json.loads(second["message"])["result"] == {"result": "second"}


def test_a_function_whose_pod_is_evicted_is_tried_again_without_using_up_the_count(sundial: Sundial) -> None:
    schedule(sundial, "evicted", "services.wait_once", retry={"count": 1, "delaySeconds": 0})
    name = wait_running(sundial, "evicted")["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    path = f"/api/v1/namespaces/{sundial.ns}/pods/{name}/eviction"
    sundial.cluster.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(eviction))
    entry = until_ended(sundial, "evicted")
    assert (entry["result"], len(sundial.jobs("evicted"))) == ("Succeeded", 2)
    marks = [job["metadata"]["annotations"] for job in sundial.jobs("evicted")]
    counts = {mark["sundial.dev/attempt"]: mark.get("sundial.dev/disruptions") for mark in marks}
    assert counts == {"1": None, "2": "1"}
    assert not any("sundial.dev/retries-used" in mark for mark in marks)
    assert json.loads(read_ends(sundial, "evicted")[-1]["message"])["result"] == {"result": "second"}


def test_what_cannot_be_run_is_not_tried_again(sundial: Sundial) -> None:
    schedule(sundial, "unfit", "services.clean_upp", retry={"count": 3, "delaySeconds": 0})
    entry = until_ended(sundial, "unfit")
    assert (entry["result"], entry["reason"]) == ("Failed", "NotRunnable")
    assert f"kubectl logs job/{sundial.jobs('unfit')[0]['metadata']['name']}" in entry["message"]
    (end,) = read_ends(sundial, "unfit")
    assert end["exitCode"] == 78
    assert json.loads(end["message"])["error"].startswith("services.clean_upp: the module services has no")


def test_a_runner_that_somebody_took_away_is_made_again_and_the_run_starts(sundial: Sundial) -> None:
    sundial.apply(build_called("late", "services.clean_up"))
    until(lambda: read_ready(sundial, "late").get("reason") == "Accepted")
    sundial.cluster.kubectl("delete", "configmap", NAME, "-n", sundial.ns)
    schedule(sundial, "late", "services.clean_up", args={"days": 1})
    assert until_ended(sundial, "late", 120)["result"] == "Succeeded"


def test_a_runner_that_was_changed_is_refused(sundial: Sundial) -> None:
    """Whoever may write ConfigMaps cannot run code as the Job's account."""
    sundial.apply(build_called("forged", "services.clean_up"))
    until(lambda: read_ready(sundial, "forged").get("reason") == "Accepted")
    sundial.cluster.kubectl("delete", "configmap", NAME, "-n", sundial.ns)
    forged = build_config_map(read_archive()) | {"binaryData": {"runner.pyz": "cHJpbnQoMSk="}}
    sundial.apply(forged)
    schedule(sundial, "forged", "services.clean_up", args={"days": 1}, retry={"count": 0})
    entry = until_ended(sundial, "forged")
    (end,) = read_ends(sundial, "forged")
    assert (entry["result"], end["exitCode"]) == ("Failed", 1)
    assert f"the runner in the ConfigMap {NAME} is not" in json.loads(end["message"])["error"]
    said = sundial.cluster.kubectl("logs", "-n", sundial.ns, "-l", "sundial.dev/scheduled-job=forged")
    assert said.startswith(f"sundial: the runner in the ConfigMap {NAME} is not the one of this Job")


def test_a_run_without_its_runner_names_what_is_missing(sundial: Sundial) -> None:
    """The operator may not bring it: a quota leaves no room."""
    schedule_soon = {"startTimeoutSeconds": 20, "retry": {"count": 0}}
    sundial.apply(build_called("lacks", "services.clean_up"))
    until(lambda: read_ready(sundial, "lacks").get("reason") == "Accepted")
    sundial.cluster.kubectl("create", "quota", "few", "-n", sundial.ns, "--hard=count/configmaps=0")
    path = f"/api/v1/namespaces/{sundial.ns}/resourcequotas/few"
    until(lambda: "count/configmaps" in str(sundial.cluster.get_json(path).get("status")))
    sundial.cluster.kubectl("delete", "configmap", NAME, "-n", sundial.ns)
    schedule(sundial, "lacks", "services.clean_up", **schedule_soon)
    entry = until_ended(sundial, "lacks", 180)
    assert (entry["result"], entry["reason"]) == ("Failed", "StartFailed")
    assert f"the ConfigMap {NAME}, which has the runner, is missing" in entry["message"]
    assert f"sundial-operator runner-manifest -n {sundial.ns}" in entry["message"]
    until(lambda: read_ready(sundial, "lacks").get("reason") == "RunnerMissing")


def test_a_secret_that_is_missing_is_named(sundial: Sundial) -> None:
    function = build_called("secret", "services.clean_up")
    pod = function["spec"]["template"]["spec"]["template"]["spec"]
    pod["volumes"].append({"name": "keys", "secret": {"secretName": "broker-keys"}})
    pod["containers"][0]["volumeMounts"].append({"name": "keys", "mountPath": "/keys"})
    sundial.apply(function)
    at = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0).isoformat()
    how: JsonObject = {"startTimeoutSeconds": 8, "retry": {"count": 0}}
    sundial.apply(build_scheduled_job("secret", {"at": at}, taskFunctionRef={"name": "secret"}, **how))
    entry = until_ended(sundial, "secret")
    assert entry["reason"] == "StartFailed"
    assert entry["message"].startswith("FailedMount: ")
    assert "broker-keys" in entry["message"]
