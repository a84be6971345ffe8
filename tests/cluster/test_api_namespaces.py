"""Who may list where: roles of a real control plane in some namespaces, and lists over exactly those."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from kubernetes.aio import client, config
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import build_services
from testkit.processes.apis import READER, make_user
from testkit.rows import execution_row, function_row, job_row, numbered

from sundial_api.auth import kept_answers
from sundial_api.auth.access import SubjectAccessReviews
from sundial_api.auth.cluster_tokens import ClusterTokens
from sundial_api.auth.visible_namespaces import BELIEVED_SECONDS, VisibleNamespaces
from sundial_api.db.tables import ScheduledJobExecution, ScheduledJobRow, TaskFunctionRow
from sundial_api.main import PREFIX
from sundial_api.namespaces.repository import KnownNamespaces
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until_async
from sundial_kube.client import KubeClient

LISTS = {"/jobs": "jobs", "/executions": "executions", "/task-functions": "taskFunctions"}
BINDINGS = "rolebindings.rbac.authorization.k8s.io"


class Guest:
    """A caller with roles in some namespaces, an API, and its clock."""

    def __init__(self, cluster: Cluster, home: str, token: str) -> None:
        self.cluster, self.home, self.token = cluster, home, token
        self.now = 0.0
        self.http: httpx.AsyncClient

    async def read(self, path: str, status: int = 200) -> Any:
        answer = await self.http.get(path)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def lists(self, path: str) -> set[str]:
        """List the namespaces of what an endpoint shows; a refusal is none."""
        answer = await self.http.get(path)
        if answer.status_code == 403:
            return set()
        return {item["namespace"] for item in answer.json()[LISTS[path]]}

    def admit(self, namespace: str, resources: list[str]) -> None:
        """Give a role in one more namespace."""
        rules = [{"apiGroups": ["sundial.dev"], "resources": resources, "verbs": ["list"]}]
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "guest", "namespace": namespace},
            "rules": rules,
        }
        binding = role | {
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "guest"},
            "subjects": [{"kind": "ServiceAccount", "namespace": self.home, "name": "guest"}],
        }
        binding.pop("rules")
        items = {"apiVersion": "v1", "kind": "List", "items": [role, binding]}
        self.cluster.kubectl("apply", "-f", "-", input=json.dumps(items))

    def expel(self, namespace: str) -> None:
        """Take that role away."""
        self.cluster.kubectl("delete", BINDINGS, "-n", namespace, "guest")


@pytest.fixture
def others(cluster: Cluster, namespace: str) -> Iterator[list[str]]:
    """Make two more namespaces; the first is the caller's too, and the second only for its functions."""
    names = [f"{namespace}-b", f"{namespace}-c"]
    for name in names:
        cluster.kubectl("create", "namespace", name)
    yield names
    cluster.kubectl("delete", "namespace", *names, "--wait=false")


@pytest.fixture
async def guest(
    cluster: Cluster,
    namespace: str,
    others: list[str],
    fresh_database: str,
    fresh_engine: AsyncEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Guest]:
    monkeypatch.setattr(kept_answers, "FRESH_SECONDS", 0.0)
    caller = Guest(cluster, namespace, make_user(cluster, namespace, "guest", READER, "Role"))
    caller.admit(others[0], ["scheduledjobs", "taskfunctions"])
    caller.admit(others[1], ["taskfunctions"])
    await fill(fresh_engine, [namespace, *others, "elsewhere"])
    configuration = client.Configuration()
    await config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    async with KubeClient(configuration) as kube:
        visible = VisibleNamespaces(KnownNamespaces(fresh_engine).list, lambda: caller.now)
        how = {
            "authenticator": ClusterTokens(kube),
            "access": SubjectAccessReviews(kube, visible),
            "client": kube,
        }
        async with build_services(fresh_database, **how) as application:
            transport = httpx.ASGITransport(application, raise_app_exceptions=False)
            headers = {"Authorization": f"Bearer {caller.token}"}
            async with httpx.AsyncClient(
                transport=transport, base_url=f"http://api{PREFIX}", headers=headers
            ) as caller.http:
                yield caller
        await visible.close()


async def fill(engine: AsyncEngine, namespaces: list[str]) -> None:
    async with engine.begin() as connection:
        for number, namespace in enumerate(namespaces, 2):
            job = job_row(number, namespace=namespace, task_function_id=number)
            await connection.execute(insert(ScheduledJobRow).values(job))
            run = execution_row(number, namespace=namespace, job_id=numbered(number))
            await connection.execute(insert(ScheduledJobExecution).values(run))
            function = function_row(number, namespace=namespace)
            await connection.execute(insert(TaskFunctionRow).values(function))


async def test_lists_are_over_exactly_the_namespaces_of_the_roles(guest: Guest, others: list[str]) -> None:
    own = {guest.home, others[0]}

    async def sees_all() -> bool:
        guest.now += (
            BELIEVED_SECONDS  # what was found before the roles had reached the API server counts no more
        )
        return await guest.lists("/task-functions") == {*own, others[1]} and await guest.lists("/jobs") == own

    await until_async(sees_all)
    assert await guest.lists("/executions") == own
    assert await guest.read("/namespaces") == {"namespaces": sorted(own), "isComplete": True}
    assert (await guest.read("/status"))["totalJobs"] == 2
    assert (await guest.read("/jobs"))["enabledCount"] == 2
    await guest.read("/jobs?namespace=elsewhere", 403)


async def test_a_right_that_is_taken_away_ends_within_the_minute(guest: Guest, others: list[str]) -> None:
    async def sees(*namespaces: str) -> bool:
        guest.now += BELIEVED_SECONDS
        return await guest.lists("/jobs") == set(namespaces)

    await until_async(lambda: sees(guest.home, others[0]))
    guest.expel(others[0])
    await until_async(lambda: sees(guest.home))
    assert await guest.lists("/executions") == {guest.home}
    guest.cluster.kubectl("delete", BINDINGS, "-n", guest.home, f"{guest.home}-guest")
    await until_async(sees)
    assert "in all namespaces" in (await guest.read("/jobs", 403))["detail"]
