"""Whom do the chart's policies refuse? Authors of templates, and Sundial's own accounts."""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from testkit.chart_sites import build_schedule
from testkit.helm_charts import JsonObject, render

from sundial_devcluster.cluster import Cluster, KubectlError
from sundial_devcluster.polling import until

GROUP = "rbac.authorization.k8s.io"
AUTHOR = [{"apiGroups": ["sundial.dev"], "resources": ["*"], "verbs": ["*"]}]
MAKER = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]}]
REFERRING = {"taskFunctionRef": {"name": "function"}}


class Place:
    """A namespace with the policies of a release whose own namespace it is not."""

    def __init__(self, cluster: Cluster, ns: str, release_ns: str) -> None:
        self.cluster, self.ns, self.release_ns = cluster, ns, release_ns
        self.operator = f"system:serviceaccount:{release_ns}:sundial-operator"
        self.api = f"system:serviceaccount:{release_ns}:sundial-api"

    def grant(self, user: str, *rules: JsonObject) -> None:
        role = {"apiVersion": f"{GROUP}/v1", "kind": "Role", "metadata": {"name": user}, "rules": list(rules)}
        self.cluster.kubectl("apply", "-n", self.ns, "-f", "-", input=json.dumps(role))
        self.cluster.kubectl("create", "rolebinding", user, "-n", self.ns, f"--role={user}", f"--user={user}")

    def send(self, user: str, manifest: JsonObject, *verb: str, ns: str = "") -> str:
        """Send an object as a user; returns what the refusal said, empty where it was taken."""
        where = ("-n", ns or self.ns, f"--as={user}", "-f", "-")
        try:
            self.cluster.kubectl(*(verb or ("create",)), *where, input=json.dumps(manifest))
        except KubectlError as error:
            return error.stderr
        return ""


@pytest.fixture
def place(cluster: Cluster, namespace: str) -> Iterator[Place]:
    """Install the policies of authors and the guard for the test's namespace."""
    release_ns = f"release-{secrets.token_hex(3)}"
    found = Place(cluster, namespace, release_ns)
    values = {"scope": {"namespaces": [namespace]}, "policies": {"marks": False, "fence": False}}
    policies = [one for one in render(values, ns=release_ns) if one["kind"].startswith("ValidatingAdmission")]
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": policies})
    cluster.kubectl("create", "namespace", release_ns)
    cluster.kubectl("apply", "-f", "-", input=items)
    found.grant("nobody", *AUTHOR)
    until(
        lambda: "sundial-authors" in found.send("nobody", build_schedule("a"), "create", "--dry-run=server")
    )
    yield found
    cluster.kubectl("delete", "-f", "-", input=items)
    cluster.kubectl("delete", "namespace", release_ns, "--wait=false")


def build(name: str = "a", account: str = "", field: str = "serviceAccountName", **spec: Any) -> JsonObject:
    job = build_schedule(name)
    if account:
        job["spec"]["template"]["spec"]["template"]["spec"][field] = account
    if spec:
        del job["spec"]["template"]
    job["spec"] |= spec
    return job


def build_function() -> JsonObject:
    spec = {"handler": {"container": {}}, "template": build()["spec"]["template"]}
    return {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "TaskFunction",
        "metadata": {"name": "function"},
        "spec": spec,
    }


def test_who_may_create_no_jobs_writes_no_templates(place: Place) -> None:
    place.grant("maker", *AUTHOR, *MAKER)
    said = "nobody may not create jobs.batch in namespace"
    assert said in place.send("nobody", build())
    assert said in place.send("nobody", build_function())
    assert said in place.send("nobody", build(), "apply", "--server-side")
    assert said in place.send("nobody", build(), "create", "--dry-run=server")
    assert place.send("nobody", build("referring", **REFERRING)) == ""
    assert said in place.send("nobody", build("referring"), "replace")
    assert place.send("maker", build()) == ""
    assert place.send("maker", build_function()) == ""
    changed = build()
    changed["spec"]["template"]["spec"]["template"]["spec"]["containers"][0]["image"] = "localhost/other:1"
    assert said in place.send("nobody", changed, "apply")
    sooner = build()
    sooner["spec"]["schedule"] = {"interval": {"seconds": 60}}
    sooner["metadata"]["annotations"] = {"a": "b"}
    assert place.send("nobody", sooner, "apply") == ""
    called = build_function()
    called["spec"]["handler"] = {"function": {"path": "os.system"}}
    assert said in place.send("nobody", called, "replace")
    called = build_function()
    called["metadata"]["annotations"] = {"a": "b"}
    assert place.send("nobody", called, "apply") == ""


def test_the_apis_own_account_writes_no_templates_either(place: Place) -> None:
    """Callers name a TaskFunction; what has a template keeps it."""
    place.cluster.kubectl(
        *("create", "role", "api", "-n", place.ns, "--verb=create,patch,get,update"),
        "--resource=scheduledjobs.sundial.dev",
    )
    place.cluster.kubectl("create", "rolebinding", "api", "-n", place.ns, "--role=api", f"--user={place.api}")
    assert "may not create jobs.batch" in place.send(place.api, build("by-the-api"))
    assert place.send(place.api, build("by-the-api", **REFERRING)) == ""


@pytest.mark.parametrize("field", ["serviceAccountName", "serviceAccount"])
def test_who_names_an_account_must_be_allowed_to_use_it(place: Place, field: str) -> None:
    named = {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["robot"]}
    place.grant("maker", *AUTHOR, *MAKER)
    place.grant("user", *AUTHOR, *MAKER, named | {"verbs": ["use"]})
    place.grant("admin", *AUTHOR, *MAKER, named | {"verbs": ["impersonate"]})
    robot = build(account="robot", field=field)
    assert "maker may neither use nor impersonate serviceaccounts/robot" in place.send("maker", robot)
    assert place.send("maker", build("default", account="default", field=field)) == ""
    for name in ("user", "admin"):
        assert place.send(name, robot | {"metadata": {"name": name}}) == ""


def build_job(place: Place, uid: str, **metadata: Any) -> JsonObject:
    owner = {
        "apiVersion": "sundial.dev/v1alpha1",
        "kind": "ScheduledJob",
        "name": "a",
        "uid": uid,
        "controller": True,
    }
    pod = copy.deepcopy(build()["spec"]["template"]["spec"]["template"]["spec"]) | {"restartPolicy": "Never"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "one",
            "labels": {"sundial.dev/installation": f"{place.release_ns}.sundial"},
            "ownerReferences": [owner],
            **metadata,
        },
        "spec": {"suspend": True, "template": {"spec": pod}},
    }


def test_sundial_itself_writes_only_jobs_of_schedules(place: Place) -> None:
    jobs = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "patch", "get", "update"]}
    role = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": place.release_ns},
        "rules": [jobs],
    }
    kubectl = place.cluster.kubectl
    kubectl("create", "-n", place.ns, "-f", "-", input=json.dumps(build()))
    uid = kubectl("get", "sj", "a", "-n", place.ns, "-o", "jsonpath={.metadata.uid}")
    kubectl("apply", "-f", "-", input=json.dumps(role))
    bind = (f"--clusterrole={place.release_ns}", f"--user={place.operator}", f"--user={place.api}")
    kubectl("create", "clusterrolebinding", place.release_ns, *bind)
    try:
        assert place.send(place.operator, build_job(place, uid)) == ""
        for ns in ("kube-system", "kube-public", place.release_ns):
            assert f"Sundial writes no Jobs in namespace {ns}" in place.send(
                place.operator, build_job(place, uid), ns=ns
            )
        for lacking in ({"ownerReferences": []}, {"labels": {}}):
            said = place.send(place.api, build_job(place, uid, name="two", **lacking))
            assert "Sundial writes no Jobs but those of a ScheduledJob" in said
        deadline = {"spec": {"activeDeadlineSeconds": 9}}
        patch = ("patch", "job", "one", "-n", place.ns, f"--as={place.operator}", "--type=merge", "-p")
        kubectl(*patch, json.dumps(deadline))
        elsewhere = {
            "nodeSelector": {"node": "other"}
        }  # what the API server lets change while it is suspended
        with pytest.raises(KubectlError, match="Sundial changes no Job's template"):
            kubectl(*patch, json.dumps({"spec": {"template": {"spec": elsewhere}}}))
        dry = place.send(place.operator, build_job(place, uid, name="probe"), "create", "--dry-run=server")
        assert dry == ""
    finally:
        kubectl("delete", "clusterrolebinding,clusterrole", place.release_ns)
