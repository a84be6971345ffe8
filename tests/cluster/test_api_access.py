"""Who may do what through the API? Real service accounts and roles of a real control plane, at every path."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from testkit.databases import copy_database
from testkit.processes.apis import (
    READER,
    WRITER,
    ApiProcess,
    make_function,
    make_user,
    run_api,
)

from sundial_api.permissions import list_needed
from sundial_api.settings import AuthMode
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import Postgres

JOB = {"name": "Clean up", "jobTypeId": 1, "scheduleConfig": {"hours": 1}}
LISTS = ["/jobs", "/executions", "/status", "/task-functions"]


class House:
    """A running API with a job and a run in a namespace, and users who differ in their roles."""

    def __init__(self, api: ApiProcess, cluster: Cluster, ns: str) -> None:
        self.api, self.cluster, self.ns = api, cluster, ns
        self.writer = make_user(cluster, ns, "writer", WRITER, "ClusterRole")
        self.reader = make_user(cluster, ns, "reader", READER, "ClusterRole")
        self.guest = make_user(cluster, ns, "guest", READER, "Role")
        function = make_function(api, cluster, ns, self.writer)
        self.body = JOB | {"taskFunctionId": function["id"]}
        self.job = self.ask(self.writer, "POST", "/jobs", self.body).json()
        run = self.ask(self.writer, "POST", f"/jobs/{self.job['id']}/trigger").json()
        self.run_id = run["executionId"]

    def ask(self, token: str | None, method: str, path: str, body: Any = None) -> httpx.Response:
        with self.api.connect(token) as caller:
            return caller.request(method, path, json=body)

    @property
    def reads(self) -> list[str]:
        job, run = f"/jobs/{self.job['id']}", f"/executions/{self.run_id}"
        return [*LISTS, "/job-types", job, f"{job}/executions", f"{job}/slots", run]

    @property
    def writes(self) -> list[tuple[str, str, Any]]:
        job, run = f"/jobs/{self.job['id']}", f"/executions/{self.run_id}"
        return [
            ("POST", "/jobs", self.body),
            ("PUT", job, {"retryCount": 1}),
            ("PUT", f"{job}/status", {"isEnabled": False}),
            ("POST", f"{job}/trigger", None),
            ("POST", f"{run}/cancel", None),
            ("DELETE", job, None),
        ]


@pytest.fixture(scope="module")
def house(
    cluster: Cluster, postgres: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    ns = f"access-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", ns)
    log = tmp_path_factory.mktemp("api") / "api.log"
    with copy_database(postgres, template) as url, run_api(cluster, url, log) as api:
        yield House(api, cluster, ns)
        assert "Traceback" not in log.read_text()
        assert "not permitted" not in log.read_text()
    cluster.kubectl("delete", "namespace", ns, "--wait=false")


def test_every_endpoint_is_walked(house: House) -> None:
    document = house.ask(house.reader, "GET", "/openapi.json").json()
    offered = sum(len(methods) for methods in document["paths"].values())
    others = ["GET /events", "POST /preview"]
    assert len(house.reads) + len(house.writes) + len(others) == offered


def test_reader_reads_everything(house: House) -> None:
    answers = {path: house.ask(house.reader, "GET", path).status_code for path in house.reads}
    assert answers == dict.fromkeys(house.reads, 200)
    assert house.ask(house.reader, "POST", "/preview", JOB).status_code == 200


def test_reader_writes_nothing_and_is_told_what_is_missing(house: House) -> None:
    before = house.ask(house.reader, "GET", f"/jobs/{house.job['id']}").headers["ETag"]
    for method, path, body in house.writes:
        answer = house.ask(house.reader, method, path, body)
        assert (answer.status_code, "may not" in answer.json()["detail"]) == (403, True), (method, path)
    assert house.ask(house.reader, "GET", f"/jobs/{house.job['id']}").headers["ETag"] == before


@pytest.mark.parametrize("path", [*LISTS, "/events"])
def test_user_of_one_namespace_lists_only_that(house: House, path: str) -> None:
    refused = house.ask(house.guest, "GET", path)
    assert (refused.status_code, "in all namespaces" in refused.json()["detail"]) == (403, True)
    elsewhere = house.ask(house.guest, "GET", f"{path}?namespace=default")
    assert (elsewhere.status_code, "in namespace default" in elsewhere.json()["detail"]) == (403, True)
    if path != "/events":
        assert house.ask(house.guest, "GET", f"{path}?namespace={house.ns}").status_code == 200


def test_user_of_one_namespace_reads_its_jobs(house: House) -> None:
    own = [path for path in house.reads if path not in LISTS]
    assert {house.ask(house.guest, "GET", path).status_code for path in own} == {200}


def test_user_of_another_namespace_reads_nothing_of_it(house: House) -> None:
    stranger = make_user(house.cluster, "default", f"stranger-{house.ns}", READER, "Role")
    own = [path for path in house.reads if path not in (*LISTS, "/job-types")]
    assert {house.ask(stranger, "GET", path).status_code for path in own} == {403}


@pytest.mark.parametrize("token", [None, "", "nonsense", "a.b.c"], ids=repr)
def test_without_a_token_of_the_cluster_everything_is_401(house: House, token: str | None) -> None:
    asked = [("GET", path, None) for path in house.reads] + house.writes
    answers = [house.ask(token, method, path, body) for method, path, body in asked]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {'Bearer realm="sundial"'}


def test_token_for_somebody_else_is_401(house: House) -> None:
    command = ("create", "token", "-n", house.ns, "reader", "--audience=another")
    assert house.ask(house.cluster.kubectl(*command).strip(), "GET", "/jobs").status_code == 401


def test_token_of_an_account_that_is_gone_is_401(house: House) -> None:
    token = make_user(house.cluster, house.ns, "leaver", READER, "ClusterRole")
    assert house.ask(token, "GET", "/job-types").status_code == 200
    house.cluster.kubectl("delete", "serviceaccount", "-n", house.ns, "leaver")
    until(lambda: house.ask(token, "GET", "/job-types").status_code == 401)


def test_who_wrote_is_on_the_object_and_in_the_answers(house: House) -> None:
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{house.ns}"
    run = house.cluster.get_json(f"{path}/scheduledjobruns")["items"][0]
    account = house.cluster.get_json(f"/api/v1/namespaces/{house.ns}/serviceaccounts/writer")
    uid = account["metadata"]["uid"]
    assert run["spec"]["requestedBy"] == f"system:serviceaccount:{house.ns}:writer"
    assert (house.job["createdBy"], house.job["updatedBy"]) == (uid, uid)
    shown = house.ask(house.reader, "GET", f"/executions/{house.run_id}").json()
    assert (shown["triggeredByUserId"], shown["requestedBy"]) == (uid, run["spec"]["requestedBy"])


def test_api_says_what_it_is_not_permitted(
    cluster: Cluster, postgres: Postgres, fresh_database: str, namespace: str, tmp_path: Path
) -> None:
    rules = [
        {"apiGroups": [one.resource.group], "resources": [one.resource.plural], "verbs": [one.verb]}
        for one in list_needed("default", None, AuthMode.KUBERNETES)
        if (one.verb, one.resource.plural) != ("patch", "jobs")
    ]
    token = make_user(cluster, namespace, "api", rules, "ClusterRole")
    config = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    config["users"][0]["user"] = {"token": token}
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(config))
    log = tmp_path / "api.log"
    with run_api(cluster, fresh_database, log, kubeconfig=kubeconfig):
        until(lambda: "not permitted" in log.read_text())
    assert '"missing": "patch jobs (batch) in all namespaces"' in log.read_text()
