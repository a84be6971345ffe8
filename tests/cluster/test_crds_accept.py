"""Does the API server take what is right, and keep it as it was written?"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sundial_core.crds.job_template import reduce_template
from sundial_devcluster.cluster import Cluster

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
FULL = yaml.safe_load((Path(__file__).parent / "manifests" / "full-template.yaml").read_text())
CONTAINER = {"name": "main", "image": "busybox:1.36"}


def scheduled_job(**spec: Any) -> str:
    template = {"spec": {"template": {"spec": {"containers": [CONTAINER]}}}}
    whole = {"schedule": {"cron": "0 9 * * *"}, "template": template} | spec
    manifest = {"apiVersion": "sundial.dev/v1alpha1", "kind": "ScheduledJob", "metadata": {"name": "job"}}
    return json.dumps(manifest | {"spec": whole})


def stored_spec(cluster: Cluster, namespace: str, manifest: str) -> dict[str, Any]:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=manifest)
    return json.loads(cluster.kubectl("get", "sj", "-n", namespace, "-o", "json"))["items"][0]["spec"]


@pytest.mark.parametrize(
    "how",
    [
        pytest.param((), id="client-side"),
        pytest.param(("--server-side",), id="server-side"),
        pytest.param(("--dry-run=server",), id="dry-run"),
    ],
)
def test_examples_apply_twice(cluster: Cluster, namespace: str, how: tuple[str, ...]) -> None:
    apply = ("apply", "-n", namespace, "-f", str(ROOT / "examples"), *how)
    cluster.kubectl(*apply)
    assert len(cluster.kubectl(*apply, "-o", "name").split()) == len(EXAMPLES)


def test_roles_of_an_installation_apply(cluster: Cluster, namespace: str) -> None:
    files = sorted((ROOT / "examples" / "installation").glob("*.yaml"))
    texts = [path.read_text().replace("sundial-system", namespace) for path in files]
    texts = [text.replace("namespace: default", f"namespace: {namespace}") for text in texts]
    answer = cluster.kubectl(
        "apply", "--dry-run=server", "-f", "-", "-o", "name", input="\n---\n".join(texts)
    )
    kinds = {name.partition("/")[0].partition(".")[0] for name in answer.split()}
    assert kinds == {"serviceaccount", "role", "rolebinding", "clusterrole", "clusterrolebinding"}
    assert len(answer.split()) == sum(len(list(yaml.safe_load_all(text))) for text in texts)


def test_full_template_comes_back_as_written(cluster: Cluster, namespace: str) -> None:
    spec = stored_spec(cluster, namespace, json.dumps(FULL))
    assert spec["template"] == FULL["spec"]["template"]
    assert spec["schedule"] == FULL["spec"]["schedule"]


def test_stored_template_makes_a_job(cluster: Cluster, namespace: str) -> None:
    template = stored_spec(cluster, namespace, json.dumps(FULL))["template"]
    metadata = template["metadata"] | {"name": "job"}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}
    create = ("create", "-n", namespace, "--dry-run=server", "-o", "json", "-f", "-")
    made = json.loads(cluster.kubectl(*create, input=json.dumps(job)))
    assert (
        made["spec"]["template"]["spec"]["containers"][0]["name"]
        == template["spec"]["template"]["spec"]["containers"][0]["name"]
    )


def test_template_schema_is_that_of_the_pinned_api_server(cluster: Cluster) -> None:
    stored = ROOT / "core/sundial_core/crds/job_template.schema.json"
    assert reduce_template(cluster.get_json("/openapi/v3/apis/batch/v1")) == json.loads(stored.read_text())


def test_defaults_are_filled_in(cluster: Cluster, namespace: str) -> None:
    spec = stored_spec(cluster, namespace, scheduled_job())
    assert {key: spec[key] for key in spec if key != "template"} == {
        "schedule": {"cron": "0 9 * * *", "timeZone": "UTC", "dst": "Once"},
        "suspend": False,
        "concurrency": {"policy": "Forbid", "maxInstances": 1},
        "retry": {"count": 3, "delaySeconds": 60},
        "catchUp": {"policy": "Latest", "graceSeconds": 30, "windowSeconds": 3600, "maxRuns": 10},
        "history": {"successful": 3, "failed": 1},
    }


CRON_FORMS = """
0 9 * * 1-5
*/5 0 9 * * MON-FRI
0 0 9 L * ? 2027-2030
@Daily
H(0-29)/10 H * * *
0 0 LW * 5#3
  0 9  15W * *
"""


@pytest.mark.parametrize("cron", CRON_FORMS.strip("\n").splitlines())
def test_cron_forms_are_taken_as_written(cluster: Cluster, namespace: str, cron: str) -> None:
    spec = stored_spec(cluster, namespace, scheduled_job(schedule={"cron": cron}))
    assert spec["schedule"]["cron"] == cron


@pytest.mark.parametrize("zone", ["UTC", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "EST5EDT"])
def test_zones_are_taken(cluster: Cluster, namespace: str, zone: str) -> None:
    assert stored_spec(cluster, namespace, scheduled_job(schedule={"cron": "0 9 * * *", "timeZone": zone}))


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"displayName": "ت" * 200}, id="arabic-of-full-length"),
        pytest.param({"args": {"deep": {"x": [1, None, {"$(A)": "$$"}]}}}, id="free-args"),
        pytest.param({"schedule": {"at": "2030-01-01T08:00:00.5+02:00"}}, id="fraction-and-offset"),
        pytest.param({"concurrency": {"policy": "Queue", "maxQueued": 100, "maxInstances": 100}}, id="queue"),
        pytest.param({"timeoutSeconds": 60, "startTimeoutSeconds": 59}, id="start-timeout-just-less"),
    ],
)
def test_values_come_back_as_written(cluster: Cluster, namespace: str, fields: dict[str, Any]) -> None:
    spec = stored_spec(cluster, namespace, scheduled_job(**fields))
    for name, value in fields.items():
        assert spec[name].items() >= value.items() if isinstance(value, dict) else spec[name] == value


def test_null_creation_timestamps_of_old_generators_are_taken(cluster: Cluster, namespace: str) -> None:
    null = {"creationTimestamp": None}
    pod = {"metadata": null, "spec": {"containers": [CONTAINER]}}
    manifest = scheduled_job(template={"metadata": null, "spec": {"template": pod}})
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=manifest)
    apply = ("apply", "-n", namespace, "--server-side", "--force-conflicts", "-o", "json", "-f", "-")
    stored = json.loads(cluster.kubectl(*apply, input=manifest))["spec"]["template"]
    assert stored["spec"]["template"]["spec"]["containers"][0]["name"] == CONTAINER["name"]


def test_keys_of_list_maps_get_their_defaults(cluster: Cluster, namespace: str) -> None:
    container = CONTAINER | {"ports": [{"containerPort": 80}]}
    pod = {"containers": [container], "imagePullSecrets": [{}]}
    template = {"spec": {"template": {"spec": pod}}}
    stored = stored_spec(cluster, namespace, scheduled_job(template=template))["template"]["spec"]["template"]
    assert stored["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert stored["spec"]["imagePullSecrets"] == [{"name": ""}]


def test_crds_apply_client_side(cluster: Cluster) -> None:
    cluster.kubectl("apply", "-f", str(ROOT / "crds"))
    told = cluster.kubectl("apply", "-f", str(ROOT / "crds"))
    assert told.count("unchanged") == 4
