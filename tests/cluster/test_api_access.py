"""Who may do what through the API? Real service accounts and roles of a real control plane, at every path."""

from __future__ import annotations

import json
import re
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
from testkit.role_rules import build_rules

from sundial_api.jobs.trigger import UNSAID
from sundial_api.permissions import list_needed
from sundial_api.settings import AuthMode
from sundial_devcluster.addresses import LOOPBACK
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import Postgres

JOB = {"name": "Clean up", "jobTypeId": 1, "scheduleConfig": {"hours": 1}}
NO_RULES: list[dict[str, list[str]]] = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
LISTS = ["/jobs", "/executions", "/status", "/task-functions", "/forecast"]


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
        parts = ("executions", "slots", "changes", "statistics", "manifest")
        of_job = [job, *(f"{job}/{part}" for part in parts)]
        return [*LISTS, "/namespaces", "/job-types", "/me", *of_job, run]

    @property
    def writes(self) -> list[tuple[str, str, Any]]:
        job, run = f"/jobs/{self.job['id']}", f"/executions/{self.run_id}"
        return [
            ("POST", "/jobs", self.body),
            ("PUT", job, {"retryCount": 1}),
            ("PUT", f"{job}/status", {"isEnabled": False}),
            ("POST", f"{job}/trigger", None),
            ("POST", f"{job}/pause", None),
            ("POST", f"{job}/resume", None),
            ("POST", f"{run}/retry", None),
            ("POST", f"{job}/backfill", {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}),
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
    others = ["GET /events", "POST /preview", "GET /executions/{execution_id}/log", "GET /settings"]
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


def test_log_is_read_by_who_may_read_logs_of_pods(house: House) -> None:
    log = f"/executions/{house.run_id}/log"
    refused = house.ask(house.reader, "GET", log)
    assert (refused.status_code, "may not get pods/log in namespace" in refused.json()["detail"]) == (
        403,
        True,
    )
    only_logs = [{"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}]
    stranger = make_user(house.cluster, house.ns, "log-stranger", only_logs, "Role")
    refused = house.ask(stranger, "GET", log)
    assert (refused.status_code, "may not get scheduledjobs" in refused.json()["detail"]) == (403, True)
    watcher = make_user(house.cluster, house.ns, "log-watcher", [*READER, *only_logs], "Role")
    assert (house.ask(watcher, "GET", log).status_code, house.ask(None, "GET", log).status_code) == (409, 401)


@pytest.mark.parametrize("path", [*LISTS, "/namespaces"])
def test_user_of_one_namespace_lists_that_without_naming_it(house: House, path: str) -> None:
    answer = house.ask(house.guest, "GET", path)
    assert (answer.status_code, answer.json()["isComplete"]) == (200, True)
    found = re.findall(r'"namespaces?":(?:"|\["?)([^"\]]*)', answer.text)
    assert set(found) <= {house.ns}
    assert path == "/status" or found


@pytest.mark.parametrize("path", [*LISTS, "/namespaces", "/events"])
def test_user_without_any_right_lists_nothing(house: House, path: str) -> None:
    nobody = make_user(house.cluster, house.ns, "nobody", NO_RULES, "Role")
    refused = house.ask(nobody, "GET", path)
    assert (refused.status_code, "in all namespaces" in refused.json()["detail"]) == (403, True)


@pytest.mark.parametrize("path", [*LISTS, "/events"])
def test_user_of_one_namespace_lists_no_other(house: House, path: str) -> None:
    elsewhere = house.ask(house.guest, "GET", f"{path}?namespace=default")
    assert (elsewhere.status_code, "in namespace default" in elsewhere.json()["detail"]) == (403, True)
    if path != "/events":
        assert house.ask(house.guest, "GET", f"{path}?namespace={house.ns}").status_code == 200


def test_user_of_one_namespace_reads_its_jobs(house: House) -> None:
    own = [path for path in house.reads if path not in LISTS]
    assert {house.ask(house.guest, "GET", path).status_code for path in own} == {200}


def test_preview_of_a_job_needs_the_right_to_read_it(house: House) -> None:
    asked = {"jobId": house.job["id"]}
    stranger = make_user(house.cluster, "default", f"looker-{house.ns}", READER, "Role")
    answers = [house.ask(token, "POST", "/preview", asked) for token in (house.guest, stranger)]
    assert [answer.status_code for answer in answers] == [200, 403]
    assert house.ask(stranger, "POST", "/preview", JOB).status_code == 200


def test_user_of_another_namespace_reads_nothing_of_it(house: House) -> None:
    stranger = make_user(house.cluster, "default", f"stranger-{house.ns}", READER, "Role")
    own = [path for path in house.reads if path not in (*LISTS, "/namespaces", "/job-types", "/me")]
    assert {house.ask(stranger, "GET", path).status_code for path in own} == {403}


def test_a_task_function_of_others_is_as_if_it_were_not_there(house: House) -> None:
    stranger = make_user(house.cluster, "default", f"guesser-{house.ns}", WRITER, "Role")
    refused = [
        house.ask(stranger, "POST", "/jobs", house.body | {"taskFunctionId": number})
        for number in (house.body["taskFunctionId"], house.body["taskFunctionId"] + 1)
    ]
    assert {answer.status_code for answer in refused} == {422}
    assert refused[0].json() == refused[1].json()
    assert house.ask(house.guest, "POST", "/jobs", house.body).status_code == 403


@pytest.mark.parametrize("token", [None, "", "nonsense", "a.b.c"], ids=repr)
def test_without_a_token_of_the_cluster_everything_is_401(house: House, token: str | None) -> None:
    asked = [("GET", path, None) for path in house.reads] + house.writes
    answers = [house.ask(token, method, path, body) for method, path, body in asked]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {'Bearer realm="sundial"'}


@pytest.mark.parametrize("token", [None, "nonsense"])
def test_settings_are_for_everybody(house: House, token: str | None) -> None:
    answer = house.ask(token, "GET", "/settings")
    assert (answer.status_code, answer.json()["auth"]) == (200, "kubernetes")


@pytest.mark.parametrize(
    ("name", "everywhere", "inside"),
    [("writer", "all", "all"), ("reader", "reads", "reads"), ("guest", "nothing", "reads")],
)
def test_caller_is_told_what_the_roles_permit(house: House, name: str, everywhere: str, inside: str) -> None:
    answer = house.ask(getattr(house, name), "GET", f"/me?namespace={house.ns}").json()
    permitted = {
        "all": {"list", "get", "create", "patch", "delete"},
        "reads": {"list", "get"},
        "nothing": set(),
    }
    assert answer["name"] == f"system:serviceaccount:{house.ns}:{name}"
    assert "system:serviceaccounts" in answer["groups"]
    for found, words in zip(answer["rights"], (everywhere, inside), strict=True):
        kinds = (found["scheduledJobs"], found["scheduledJobRuns"], found["taskFunctions"])
        said = {verb for kind in kinds for verb, may in kind.items() if may}
        assert said == permitted[words], found["namespace"]


def test_token_for_somebody_else_is_401(house: House) -> None:
    command = ("create", "token", "-n", house.ns, "reader", "--audience=another")
    assert house.ask(house.cluster.kubectl(*command).strip(), "GET", "/jobs").status_code == 401


def test_token_of_an_account_that_is_gone_is_401(house: House) -> None:
    token = make_user(house.cluster, house.ns, "leaver", READER, "ClusterRole")
    assert house.ask(token, "GET", "/job-types").status_code == 200
    house.cluster.kubectl("delete", "serviceaccount", "-n", house.ns, "leaver")
    until(lambda: house.ask(token, "GET", "/job-types").status_code == 401)


STARTER = [{"apiGroups": ["sundial.dev"], "resources": ["scheduledjobruns"], "verbs": ["create"]}]


def test_who_may_start_a_job_and_not_read_it_is_told_ids_only(house: House) -> None:
    starter = make_user(house.cluster, house.ns, "starter", STARTER, "Role")
    body = house.body | {"name": "Hidden name", "taskArgs": {"hidden": "argument"}}
    job = house.ask(house.writer, "POST", "/jobs", body).json()
    answer = house.ask(starter, "POST", f"/jobs/{job['id']}/trigger")
    shown = answer.json()
    assert (answer.status_code, shown["jobId"], shown["job"], shown["execution"]) == (
        200,
        job["id"],
        None,
        None,
    )
    run = house.ask(house.reader, "GET", f"/executions/{shown['executionId']}").json()
    assert (run["jobId"], run["celeryTaskId"]) == (job["id"], shown["celeryTaskId"])
    again = house.ask(starter, "POST", f"/jobs/{job['id']}/trigger")
    assert (again.status_code, again.json()["detail"]) == (409, UNSAID.english)
    assert "already running" in house.ask(house.writer, "POST", f"/jobs/{job['id']}/trigger").json()["detail"]
    assert "idden" not in answer.text + again.text
    house.ask(house.writer, "DELETE", f"/jobs/{job['id']}")


def test_who_wrote_is_on_the_object_and_in_the_answers(house: House) -> None:
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{house.ns}"
    run = house.cluster.get_json(f"{path}/scheduledjobruns")["items"][0]
    account = house.cluster.get_json(f"/api/v1/namespaces/{house.ns}/serviceaccounts/writer")
    uid = account["metadata"]["uid"]
    assert run["spec"]["requestedBy"] == f"system:serviceaccount:{house.ns}:writer"
    assert (house.job["createdBy"], house.job["updatedBy"]) == (uid, uid)
    shown = house.ask(house.reader, "GET", f"/executions/{house.run_id}").json()
    assert (shown["triggeredByUserId"], shown["requestedBy"]) == (uid, run["spec"]["requestedBy"])


def test_nobody_chooses_the_address_that_is_recorded(house: House) -> None:
    body = {"description": "from somewhere"}
    with house.api.connect(house.writer) as caller:
        headers = {"X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6"}
        caller.put(f"/jobs/{house.job['id']}", json=body, headers=headers).raise_for_status()
    newest = house.ask(house.reader, "GET", f"/jobs/{house.job['id']}/changes").json()["changes"][0]
    assert newest["clientAddress"] == LOOPBACK


def write_kubeconfig(cluster: Cluster, ns: str, folder: Path, missing: tuple[str, str]) -> Path:
    """Write the kubeconfig of an account that may do all that the API needs, but for one verb of a kind."""
    needed = list_needed("default", "sundial", (), AuthMode.KUBERNETES)
    rules = build_rules(one for one in needed if (one.verb, one.resource.plural) != missing)
    token = make_user(cluster, ns, "api", rules, "ClusterRole")
    config = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    config["users"][0]["user"] = {"token": token}
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


def test_api_says_what_it_is_not_permitted(
    cluster: Cluster, postgres: Postgres, fresh_database: str, namespace: str, tmp_path: Path
) -> None:
    kubeconfig = write_kubeconfig(cluster, namespace, tmp_path, missing=("patch", "jobs"))
    log = tmp_path / "api.log"
    with run_api(cluster, fresh_database, log, kubeconfig=kubeconfig):
        until(lambda: "not permitted" in log.read_text())
    assert '"missing": "patch jobs (batch) in all namespaces"' in log.read_text()


def test_callers_are_told_that_the_api_may_not_ask_who_they_are(
    cluster: Cluster, postgres: Postgres, fresh_database: str, namespace: str, tmp_path: Path
) -> None:
    kubeconfig = write_kubeconfig(cluster, namespace, tmp_path, missing=("create", "tokenreviews"))
    token = make_user(cluster, namespace, "reader", READER, "Role")
    with (
        run_api(cluster, fresh_database, tmp_path / "api.log", kubeconfig=kubeconfig) as api,
        api.connect(token) as caller,
    ):
        refused = caller.get("/jobs")
    assert (refused.status_code, "needs create on tokenreviews" in refused.json()["detail"]) == (503, True)
