"""What Argo CD and kustomize make of our kinds, by the files in gitops/."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import lupa.lua51
import pytest
import yaml
from testkit import merge_keys
from testkit.chart_sites import build_schedule

from sundial_core.resources.specs import ScheduledJobRunSpec
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.kubectl import kubectl_program

GITOPS = Path("gitops")
NEW = {"kind": "ScheduledJob", "metadata": {"generation": 1}}
READY, ENDED = ("Ready", "True"), ("Complete", "True")
FAILED = ("LastRunSucceeded", "False")
JsonObject = dict[str, Any]


def run_lua(file: str, obj: JsonObject) -> Any:
    """Run a script as Argo CD does: the object is `obj`, and what it returns is the answer."""
    lua = lupa.lua51.LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = lua.table_from(obj, recursive=True)
    return to_python(lua.execute((GITOPS / "argocd" / file).read_text()))


def to_python(value: Any) -> Any:
    if lupa.lua51.lua_type(value) != "table":
        return value
    entries = {key: to_python(one) for key, one in value.items()}
    is_list = bool(entries) and set(entries) == set(range(1, len(entries) + 1))
    return [entries[key] for key in sorted(entries)] if is_list else entries


def build(
    *conditions: tuple[str, str], observed: int = 2, kind: str = "ScheduledJob", **status: Any
) -> JsonObject:
    told = [{"type": one, "status": state, "reason": "R", "message": "m"} for one, state in conditions]
    return {
        "kind": kind,
        "metadata": {"name": "report", "namespace": "team", "generation": 2},
        "status": {"observedGeneration": observed, "conditions": told, **status},
    }


@pytest.mark.parametrize(
    ("obj", "health", "said"),
    [
        pytest.param(
            {"kind": "ScheduledJob", "metadata": {"generation": 1}}, "Progressing", "waits", id="new"
        ),
        pytest.param(build(READY, observed=1), "Progressing", "waits", id="changed"),
        pytest.param(build(READY), "Healthy", "m", id="scheduled"),
        pytest.param(build(("Ready", "False")), "Degraded", "R: m", id="a spec that is wrong"),
        pytest.param(
            {
                "kind": "ScheduledJob",
                "metadata": {},
                "status": {"conditions": [{"type": "Ready", "status": "False"}]},
            },
            "Degraded",
            "not ready",
            id="a condition without a reason",
        ),
        pytest.param(build(READY, ("Suspended", "True")), "Suspended", "R: m", id="suspended"),
        pytest.param(
            build(READY, ("LastRunSucceeded", "False")),
            "Healthy",
            "did not succeed",
            id="a failed run",
        ),
        pytest.param(build(("Ready", "False"), kind="TaskFunction"), "Degraded", "R: m", id="a function"),
        pytest.param(build(ENDED, kind="ScheduledJobRun"), "Healthy", "m", id="an ended run"),
        pytest.param(build(("Started", "True"), kind="ScheduledJobRun"), "Progressing", "m", id="a run"),
    ],
)
def test_health(obj: JsonObject, health: str, said: str) -> None:
    found = run_lua("health.lua", obj)
    assert (found["status"], said in found["message"]) == (health, True)


def test_which_actions_there_are() -> None:
    obj = build(READY)
    found = run_lua("actions.discovery.lua", obj)
    assert {name: one.get("disabled") for name, one in found.items()} == {
        "run-now": None,
        "retry-last": True,
        "pause": False,
        "resume": True,
    }
    obj["metadata"]["annotations"] = {"sundial.dev/paused": "true"}
    obj["status"]["lastScheduleTime"] = "2026-01-01T00:00:00Z"
    found = run_lua("actions.discovery.lua", obj)
    assert [found[name]["disabled"] for name in ("retry-last", "pause", "resume")] == [False, True, False]


@pytest.mark.parametrize(("action", "slot"), [("run-now", None), ("retry-last", "2026-01-01T00:00:00Z")])
def test_a_run_is_asked_for_by_a_resource_of_its_own(action: str, slot: str | None) -> None:
    (made,) = run_lua(f"{action}.lua", build(READY, lastScheduleTime="2026-01-01T00:00:00Z"))
    assert made["operation"] == "create"
    resource = made["resource"]
    assert (resource["kind"], resource["metadata"]["namespace"]) == ("ScheduledJobRun", "team")
    assert re.fullmatch(r"report-\d{14}", resource["metadata"]["name"])
    ScheduledJobRunSpec.model_validate(resource["spec"])
    assert (resource["spec"]["scheduledJobName"], resource["spec"].get("scheduledFor")) == ("report", slot)


def test_a_pause_is_an_annotation_that_resuming_takes_away() -> None:
    obj = build(READY)
    paused = run_lua("pause.lua", obj)
    assert paused["metadata"]["annotations"] == {"sundial.dev/paused": "true"}
    paused["metadata"]["annotations"] |= {
        "sundial.dev/paused-by": "zoe",
        "sundial.dev/paused-reason": "a move",
    }
    assert run_lua("resume.lua", paused)["metadata"]["annotations"] == {}


def fill_pod(pod: JsonObject) -> None:
    """Have a Pod name what kustomize gives other names, in each of the ways that there are."""
    pod["serviceAccountName"] = "runner"
    pod["containers"][0]["envFrom"] = [{"secretRef": {"name": "keys"}}]
    settings, keys = {"configMap": {"name": "settings"}}, {"secret": {"name": "keys"}}
    variables = [{"configMapRef": {"name": "settings"}}]
    pod["initContainers"] = [{"name": "first", "image": "b", "envFrom": variables}]
    pod["volumes"] = [
        {"name": "v", **settings},
        {"name": "p", "projected": {"sources": [keys, settings]}},
        {"name": "c", "persistentVolumeClaim": {"claimName": "disk"}},
    ]


def run_kustomize(folder: Path, items: list[JsonObject], **kustomization: Any) -> list[JsonObject]:
    """Run kubectl's kustomize on objects, with the files of gitops/ beside them."""
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(items))
    for file in (GITOPS / "kustomize").iterdir():
        (folder / file.name).write_text(file.read_text())
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["objects.yaml"]} | kustomization)
    )
    done = subprocess.run(
        [kubectl_program(), "kustomize", folder], capture_output=True, text=True, check=True
    )
    return list(yaml.safe_load_all(done.stdout))


def test_kustomize_follows_names_and_images(tmp_path: Path) -> None:
    job = build_schedule("report")
    fill_pod(job["spec"]["template"]["spec"]["template"]["spec"])
    called = build_schedule("called")
    del called["spec"]["template"]
    called["spec"]["taskFunctionRef"] = {"name": "function"}
    function = {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "TaskFunction",
        "metadata": {"name": "function"},
        "spec": {"handler": {"container": {}}, "template": job["spec"]["template"]},
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "disk"}}
    built = run_kustomize(
        tmp_path,
        [job, called, function, account, claim],
        configurations=["sundial.yaml"],
        namePrefix="eu-",
        images=[{"name": "localhost/box", "newTag": "2"}],
        configMapGenerator=[{"name": "settings", "literals": ["a=b"]}],
        secretGenerator=[{"name": "keys", "literals": ["a=b"]}],
    )
    items = {(one["kind"], one["metadata"]["name"]): one for one in built}
    made = {kind: name for kind, name in items if kind in ("ConfigMap", "Secret")}
    assert items["ScheduledJob", "eu-called"]["spec"]["taskFunctionRef"]["name"] == "eu-function"
    for key in (("ScheduledJob", "eu-report"), ("TaskFunction", "eu-function")):
        found = items[key]["spec"]["template"]["spec"]["template"]["spec"]
        assert found["containers"][0]["image"] == "localhost/box:2"
        assert found["serviceAccountName"] == "eu-runner"
        assert found["volumes"][0]["configMap"]["name"] == made["ConfigMap"]
        assert found["containers"][0]["envFrom"][0]["secretRef"]["name"] == made["Secret"]
        assert found["initContainers"][0]["envFrom"][0]["configMapRef"]["name"] == made["ConfigMap"]
        secret, config = found["volumes"][1]["projected"]["sources"]
        assert (secret["secret"]["name"], config["configMap"]["name"]) == (made["Secret"], made["ConfigMap"])
        assert found["volumes"][2]["persistentVolumeClaim"]["claimName"] == "eu-disk"


def patch(tmp_path: Path, job: JsonObject) -> JsonObject:
    """Add a variable and a container to what one object has, as an overlay does."""
    added = {"name": "main", "env": [{"name": "REGION", "value": "eu"}]}
    pod = {"containers": [added, {"name": "mesh", "image": "mesh:1"}]}
    spec = {
        "template": {"spec": {"template": {"spec": pod}}}
        if "template" in job["spec"]["template"]["spec"]
        else {"spec": pod}
    }
    change = {key: job[key] for key in ("apiVersion", "kind", "metadata")} | {"spec": spec}
    changes = [{"patch": yaml.safe_dump(change)}]
    (patched,) = run_kustomize(tmp_path, [job], openapi={"path": "schema.json"}, patches=changes)
    return patched


def test_kustomize_merges_containers_and_variables_by_their_names(tmp_path: Path) -> None:
    job = build_schedule("report")
    job["spec"]["template"]["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "A", "value": "b"}
    ]
    for template in (job, build_deployment(job)):
        patched = patch(tmp_path, template)["spec"]["template"]["spec"]
        found = {one["name"]: one for one in patched.get("template", {"spec": patched})["spec"]["containers"]}
        assert (set(found), found["main"]["image"]) == ({"main", "mesh"}, "localhost/box:1")
        assert {one["name"] for one in found["main"]["env"]} == {"A", "REGION"}


def build_deployment(job: JsonObject) -> JsonObject:
    """Build a Deployment of the same Pods: what kustomize knew before, it knows with the file too."""
    template = job["spec"]["template"]["spec"]["template"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "report"},
        "spec": {"template": template},
    }


def test_what_kustomize_is_told_is_what_the_api_server_says(cluster: Cluster) -> None:
    served = json.loads(cluster.kubectl("get", "--raw", "/openapi/v2"))
    is_same = merge_keys.FILE.read_text() == merge_keys.build_text(served)
    assert is_same, "write gitops/kustomize/schema.json again: python -m testkit.merge_keys KUBECONFIG"


@pytest.mark.parametrize("path", sorted(GITOPS.rglob("*.yaml")), ids=str)
def test_files_are_yaml(path: Path) -> None:
    assert list(yaml.safe_load_all(path.read_text()))
