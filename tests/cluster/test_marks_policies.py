"""With the marks policies nobody but us makes what history is told by; what others may do still passes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client, config
from testkit.api_callers import Api
from testkit.processes.operators import Starter, Sundial, build_scheduled_job

from sundial_api import signatures
from sundial_api.signatures import Authorship, SignatureProbe
from sundial_core.coordination.fence import ADMISSION
from sundial_core.coordination.marks_policies import (
    JOBS_PREFIX,
    PODS_PREFIX,
    PROBE,
    SIGNATURES_PREFIX,
    Accounts,
    build_marks_policies,
)
from sundial_core.resources import names
from sundial_devcluster.cluster import Cluster, KubectlError
from sundial_devcluster.polling import until, until_async
from sundial_kube.client import KubeClient

JsonObject = dict[str, Any]
FORBIDDEN_MARKS = r"makes (Jobs|Pods) with marks under sundial\.dev/"
SELECTOR = "batch.kubernetes.io/controller-uid"
SHARE = '[{"op": "replace", "path": "/metadata/ownerReferences/0/controller", "value": false}]'
BY_STATUS = "--subresource=status"
RELABEL = json.dumps({"metadata": {"labels": {names.RUN: "other"}}})
DISOWN = '[{"op": "remove", "path": "/metadata/ownerReferences"}]'
SIGNED = {names.CREATED_BY: "3f6d9b0e-8a51-4c7e-b1a7-2f1f5a0c9d11"}


class User:
    """A tenant who may do everything in the test's namespace."""

    def __init__(self, cluster: Cluster, ns: str) -> None:
        self.cluster, self.ns, self.name = cluster, ns, f"mallory-{ns}"

    def kubectl(self, *arguments: str, **how: Any) -> str:
        """Run kubectl as the tenant."""
        return str(self.cluster.kubectl(*arguments, "-n", self.ns, f"--as={self.name}", **how))

    def create(self, item: JsonObject, *more: str) -> str:
        """Create an object."""
        return self.kubectl("create", "-f", "-", *more, input=json.dumps(item))


@pytest.fixture
def user(cluster: Cluster, namespace: str) -> User:
    """Give a tenant."""
    tenant = User(cluster, namespace)
    role = ("--clusterrole=cluster-admin", f"--user={tenant.name}")
    cluster.kubectl("create", "rolebinding", "tenant", "-n", namespace, *role)
    return tenant


@pytest.fixture
def policies(cluster: Cluster, namespace: str, user: User) -> Iterator[None]:
    """Install the policies for the test's namespace, where whoever runs the tests is operator and API."""
    me = json.loads(cluster.kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
    items = build_marks_policies(f"{namespace}.sundial", Accounts((me,), (me,)), [namespace])
    manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    cluster.kubectl("apply", "-f", "-", input=manifests)
    label = names.SCHEDULED_JOB_UID
    for item in (build_run(PROBE), build_job("early", label), build_pod("early", label)):
        until(partial(is_refused, partial(user.create, item, "--dry-run=server")))
    yield
    cluster.kubectl("delete", "--ignore-not-found", "-f", "-", input=manifests)


@pytest.fixture
def sundial(policies: None, start_operator: Starter) -> Sundial:
    """Give an operator with a schedule that has started a Job."""
    running = start_operator()
    running.apply(build_scheduled_job("tick", {"interval": {"seconds": 1}}))
    until(lambda: running.jobs("tick"))
    running.patch("tick", {"suspend": True})
    return running


def is_refused(act: Callable[[], object]) -> bool:
    return "sundial-" in read_refusal(act)


def build_run(name: str, **annotations: str) -> JsonObject:
    return {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "ScheduledJobRun",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"scheduledJobName": "tick"},
    }


def build_job(name: str, *labels: str, template: tuple[str, ...] = ()) -> JsonObject:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "localhost/box:1"}]}
    marks = {"metadata": {"labels": dict.fromkeys(template, "x")}} if template else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": dict.fromkeys(labels, "x")},
        "spec": {"template": {**marks, "spec": pod}},
    }


def build_binding(name: str, **marks: dict[str, str]) -> JsonObject:
    target = {"apiVersion": "v1", "kind": "Node", "name": "simulated-1"}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name} | marks, "target": target}


def build_pod(name: str, *labels: str) -> JsonObject:
    job = build_job(name, *labels)
    spec = job["spec"]["template"]["spec"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": job["metadata"], "spec": spec}


def test_the_operators_jobs_and_their_pods_pass(sundial: Sundial) -> None:
    until(lambda: sundial.status("tick").get("lastResult") == "Succeeded")
    pods = sundial.cluster.get_json(f"/api/v1/namespaces/{sundial.ns}/pods")["items"]
    assert pods


MARKED = (
    {"labels": {SELECTOR: "x"}},
    {"labels": {names.RUN: "x"}},
    {"annotations": {names.ATTEMPT: "7"}},
)


@pytest.mark.parametrize("path", ["pods/bare/binding", "bindings"])
def test_nobody_marks_a_pod_by_what_binds_it(policies: None, user: User, tmp_path: Path, path: str) -> None:
    pod = build_pod("bare")
    pod["spec"] |= {"schedulerName": "nobody"}
    user.create(pod)

    def bind(**marks: dict[str, str]) -> None:
        file = tmp_path / "binding.json"
        file.write_text(json.dumps(build_binding("bare", **marks)))
        user.kubectl("create", "--raw", f"/api/v1/namespaces/{user.ns}/{path}", "-f", str(file))

    for marks in MARKED:
        with pytest.raises(KubectlError, match=FORBIDDEN_MARKS):
            bind(**marks)
    bind(annotations={"a": "b"})
    assert json.loads(user.kubectl("get", "pod", "bare", "-o", "json"))["spec"]["nodeName"] == "simulated-1"


FORGED = {
    "a Job": build_job("forged", names.SCHEDULED_JOB_UID, names.RUN),
    "a Job of marked Pods": build_job("forged", template=(names.SCHEDULED_JOB_UID,)),
    "a Pod": build_pod("forged", names.SCHEDULED_JOB_UID),
    "a Pod to be adopted": build_pod("forged", "batch.kubernetes.io/controller-uid"),
}


def test_nobody_else_makes_marked_objects(policies: None, user: User) -> None:
    said = {name: read_refusal(partial(user.create, item)) for name, item in FORGED.items()}
    assert [name for name, refusal in said.items() if not re.search(FORBIDDEN_MARKS, refusal)] == []


def read_refusal(act: Callable[[], object]) -> str:
    """Read why the API server refuses something; empty if it does not."""
    try:
        act()
    except KubectlError as error:
        return str(error)
    return ""


CHANGES = {
    "a label changed": ("label", "{job}", f"{names.RUN}=other", "--overwrite"),
    "the label removed": ("label", "{job}", f"{names.SCHEDULED_JOB_UID}-"),
    "a mark changed": ("annotate", "{job}", f"{names.ATTEMPT}=7", "--overwrite"),
    "a mark added": ("annotate", "{job}", f"{names.ENDED}=Cancelled"),
    "of a Pod": ("label", "{pod}", f"{names.RUN}=other", "--overwrite"),
    "of a Pod to be released": ("label", "{pod}", f"{SELECTOR}=x", "--overwrite"),
    "the owner of a Pod": ("patch", "{pod}", "--type=json", "-p", DISOWN),
    "the controller of a Job": ("patch", "{job}", "--type=json", "-p", SHARE),
    "a label by the status": ("patch", "{job}", BY_STATUS, "-p", RELABEL),
    "of a Pod by the status": ("patch", "{pod}", BY_STATUS, "-p", RELABEL),
}


def test_marks_stay_as_the_operator_wrote_them(sundial: Sundial, user: User) -> None:
    job = sundial.jobs("tick")[0]["metadata"]["name"]
    pods = until(lambda: sundial.cluster.get_json(f"/api/v1/namespaces/{sundial.ns}/pods")["items"])
    names_of = {"{job}": f"job/{job}", "{pod}": f"pod/{pods[0]['metadata']['name']}"}
    filled = {name: [names_of.get(part, part) for part in command] for name, command in CHANGES.items()}
    said = {name: read_refusal(partial(user.kubectl, *command)) for name, command in filled.items()}
    assert [name for name, why in said.items() if not re.search(r"marks under sundial\.dev/", why)] == []


def test_what_users_do_with_jobs_still_passes(sundial: Sundial, user: User) -> None:
    job = f"job/{sundial.jobs('tick')[0]['metadata']['name']}"
    user.kubectl("annotate", job, f"{names.CANCEL}=true")
    user.kubectl("label", job, "team=payments")
    selector = f"labelSelector=job-name%3D{job.removeprefix('job/')}"
    pods = until(
        lambda: sundial.cluster.get_json(f"/api/v1/namespaces/{sundial.ns}/pods?{selector}")["items"]
    )
    user.kubectl("delete", job, "--cascade=orphan", "--wait=false")
    user.create(build_job("own"))
    user.create(build_pod("own"))
    user.kubectl("label", "pod/own", "app=own")
    until(lambda: is_missing(user, job))
    orphan = f"/api/v1/namespaces/{sundial.ns}/pods/{pods[0]['metadata']['name']}"
    until(lambda: "ownerReferences" not in sundial.cluster.get_json(orphan)["metadata"])


def is_missing(user: User, name: str) -> bool:
    return user.kubectl("get", name, "--ignore-not-found") == ""


def build_decoy(job: JsonObject) -> JsonObject:
    """Build a Job that selects by hand, with Pods that another Job would adopt once they are orphans."""
    decoy = build_job("decoy", template=("decoy",))
    decoy["spec"] |= {"manualSelector": True, "selector": {"matchLabels": {"decoy": "x"}}}
    decoy["spec"]["template"]["metadata"]["labels"] |= job["spec"]["selector"]["matchLabels"]
    return decoy


def test_no_job_has_pods_made_that_another_one_would_adopt(sundial: Sundial, user: User) -> None:
    user.create(build_decoy(sundial.jobs("tick")[0]))
    refusal = ("get", "events", "--field-selector=involvedObject.name=decoy,reason=FailedCreate")
    until(lambda: PODS_PREFIX in user.kubectl(*refusal, "-o", "json"))
    assert user.kubectl("get", "pods", "-l", "decoy", "-o", "name") == ""


def test_a_suspended_jobs_template_gets_no_marks(policies: None, user: User) -> None:
    job = build_job("waiting")
    job["spec"]["suspend"] = True
    user.create(job)
    mark = {"spec": {"template": {"metadata": {"labels": {names.SCHEDULED_JOB_UID: "x"}}}}}
    with pytest.raises(KubectlError, match=FORBIDDEN_MARKS):
        user.kubectl("patch", "job/waiting", "--type=merge", "-p", json.dumps(mark))


def test_a_signature_is_the_apis(policies: None, user: User) -> None:
    with pytest.raises(KubectlError, match=f"only Sundial's API writes {names.CREATED_BY}"):
        user.create(build_run("forged", **SIGNED))
    job = build_scheduled_job("signed", {"cron": "@yearly"})
    job["metadata"] |= {"annotations": SIGNED, "namespace": user.ns}
    user.cluster.kubectl("create", "-f", "-", input=json.dumps(job))
    other = "11111111-2222-4333-8444-555555555555"
    for mark in (names.CREATED_BY, names.UPDATED_BY, names.UPDATED_AT, names.UPDATED_STATE):
        change = f"{mark}={other}"
        with pytest.raises(KubectlError, match="only Sundial's API writes"):
            user.kubectl("annotate", "sj/signed", change, "--overwrite")
    user.kubectl("annotate", "sj/signed", f"{names.CREATED_BY}-")


async def test_who_forges_managed_fields_is_not_taken_for_a_user_of_the_api(
    policies: None, user: User, api: Api
) -> None:
    job = await api.create()
    name = f"sj/{job['resourceName']}"
    changes: list[tuple[str, ...]] = [
        ("patch", name, "--type=merge", "-p", '{"spec": {"retry": {"count": 9}}}'),
        ("annotate", name, "sundial.dev/paused=true"),
    ]
    for number, change in enumerate(changes):
        edited = await api.ask("PUT", f"/jobs/{job['id']}", {"retryCount": number})
        assert edited["updatedBy"] == job["createdBy"]
        before = api.read(job)["metadata"]["managedFields"]
        user.kubectl(*change)
        forged = json.dumps({"metadata": {"managedFields": before}})
        user.kubectl("patch", name, "--type=merge", "-p", forged)
        assert api.read(job)["metadata"]["managedFields"] == before
        assert (await api.take(job["resourceName"]))["updatedBy"] is None


async def test_every_edit_of_the_api_is_its_users(policies: None, api: Api) -> None:
    job = await api.create()
    place = f"/jobs/{job['id']}"
    edits = [
        (place, {"retryCount": 1}),
        (f"{place}/status", {"isEnabled": False}),
        (place, {"isEnabled": True, "taskArgs": {"a": [1, None]}}),
        (place, {"scheduleConfig": {"minutes": 5}}),
    ]
    shown = [(await api.ask("PUT", path, body))["updatedBy"] for path, body in edits]
    api.mark(job, "app.kubernetes.io/managed-by=Helm")
    shown.append((await api.ask("PUT", f"{place}/status", {"isEnabled": False}))["updatedBy"])
    assert shown == [job["createdBy"]] * 5
    assert (await api.ask("GET", place))["isPaused"] is True


def test_a_re_applied_export_and_the_users_own_marks_pass(policies: None, user: User) -> None:
    job = build_scheduled_job("signed", {"cron": "@yearly"})
    job["metadata"] |= {"annotations": SIGNED, "namespace": user.ns}
    user.cluster.kubectl("create", "-f", "-", input=json.dumps(job))
    user.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=json.dumps(job))
    exported = user.kubectl("get", "sj/signed", "-o", "yaml")
    user.kubectl("replace", "-f", "-", input=exported)
    user.kubectl("annotate", "sj/signed", "sundial.dev/paused=true", "sundial.dev/paused-by=me")
    user.kubectl("patch", "sj/signed", "--type=merge", "-p", '{"spec": {"suspend": true}}')
    run = build_run("claimed")
    run["spec"]["requestedBy"] = "the queen"
    user.create(run)
    stored = json.loads(user.kubectl("get", "sj/signed", "-o", "json"))
    assert stored["spec"]["suspend"] is True
    assert stored["metadata"]["annotations"].items() >= (SIGNED | {names.PAUSED: "true"}).items()


def test_nobody_writes_under_our_name(policies: None, user: User) -> None:
    job = build_scheduled_job("plain", {"cron": "@yearly"})
    with pytest.raises(KubectlError, match="only Sundial writes as sundial-api"):
        user.create(job, "--field-manager=sundial-api")
    user.create(job)
    with pytest.raises(KubectlError, match="only Sundial writes as sundial-api"):
        user.kubectl("annotate", "sj/plain", "a=b", "--field-manager=sundial-api")
    signed = build_scheduled_job("by-api", {"cron": "@yearly"})
    signed["metadata"]["namespace"] = user.ns
    user.cluster.kubectl("create", "--field-manager=sundial-api", "-f", "-", input=json.dumps(signed))
    user.kubectl("annotate", "sj/by-api", "a=b")


def test_the_policies_are_free_of_warnings(cluster: Cluster, namespace: str, policies: None) -> None:
    for prefix in (JOBS_PREFIX, PODS_PREFIX, SIGNATURES_PREFIX):
        path = f"/apis/{ADMISSION}/validatingadmissionpolicies/{prefix}{namespace}.sundial"

        def is_checked(path: str = path) -> bool:
            return "typeChecking" in cluster.get_json(path).get("status", {})

        until(is_checked)
        assert cluster.get_json(path)["status"]["typeChecking"] == {}


async def test_the_api_sees_whether_signatures_are_guarded(
    cluster: Cluster, namespace: str, policies: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = client.Configuration()
    await config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    async with KubeClient(configuration, user_agent="sundial-api") as kube:
        monkeypatch.setattr(signatures, "CHECK_SECONDS", 0.2)
        installation = f"{namespace}.sundial"
        probe = SignatureProbe(kube, namespace, installation, (namespace,))
        of_all = SignatureProbe(kube, namespace, installation, ())
        looking = [asyncio.create_task(one.run()) for one in (of_all, probe)]

        async def is_known() -> bool:
            return probe.authorship is Authorship.KNOWN

        async def is_claimed() -> bool:
            return probe.authorship is Authorship.CLAIMED

        await until_async(is_known)
        assert of_all.authorship is Authorship.CLAIMED
        name = f"validatingadmissionpolicybinding/{SIGNATURES_PREFIX}{namespace}.sundial"
        cluster.kubectl("delete", name)
        await until_async(is_claimed)
        for one in looking:
            one.cancel()
        await asyncio.wait(looking)
