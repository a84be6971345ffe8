"""Who goes on reading while the API server is away? Those whom it knew within the hour, and nobody writes."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes.aio import client, config
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from testkit.api_apps import serve_reads
from testkit.event_streams import listen, serve_on_port
from testkit.processes.apis import READER, make_user
from testkit.rows import job_row

from sundial_api.auth import kept_answers
from sundial_api.auth.access import SubjectAccessReviews
from sundial_api.auth.cluster_tokens import ClusterTokens, has_expired
from sundial_api.db.tables import ScheduledJobRow
from sundial_api.events import streams
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until_async
from sundial_kube.client import KubeClient
from sundial_kube.resources import Resource


class Wire:
    """Leads to the API server, or to a port where nothing listens."""

    def __init__(self, near: KubeClient, nowhere: KubeClient) -> None:
        self.near, self.nowhere, self.is_cut = near, nowhere, False
        self.refused = 0

    async def review(self, resource: Resource, spec: dict[str, Any]) -> dict[str, Any]:
        self.refused += self.is_cut
        return await (self.nowhere if self.is_cut else self.near).review(resource, spec)


@pytest.fixture
async def wire(cluster: Cluster) -> AsyncIterator[Any]:
    configuration = client.Configuration()
    await config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    lost = client.Configuration(host="http://127.0.0.1:1")
    async with KubeClient(configuration) as near, KubeClient(lost) as nowhere:
        yield Wire(near, nowhere)


async def test_who_was_known_reads_on(
    wire: Any, cluster: Cluster, namespace: str, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_answers, "FRESH_SECONDS", 0.0)
    known, new = (make_user(cluster, namespace, name, READER, "ClusterRole") for name in ("known", "new"))
    how = {"authenticator": ClusterTokens(wire), "access": SubjectAccessReviews(wire), "client": wire}

    async with serve_reads(fresh_database, **how) as api:

        async def ask(path: str, token: str) -> int:
            return (await api.get(path, headers={"Authorization": f"Bearer {token}"})).status_code

        async def preview(token: str) -> int:
            body = {"jobTypeId": 1, "scheduleConfig": {"hours": 1}}
            headers = {"Authorization": f"Bearer {token}"}
            return (await api.post("/preview", json=body, headers=headers)).status_code

        assert await ask("/jobs", known) == 200
        wire.is_cut = True
        assert await ask("/jobs", known) == 200
        assert await preview(known) == 200
        assert [await ask("/jobs", new), await ask("/status?namespace=default", known)] == [503, 503]


async def test_who_was_known_listens_on_and_not_for_ever(
    wire: Any, cluster: Cluster, namespace: str, fresh_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_answers, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(streams, "CHECK_SECONDS", 0.1)
    token = make_user(cluster, namespace, "known", READER, "ClusterRole")
    how = {"authenticator": ClusterTokens(wire), "access": SubjectAccessReviews(wire), "client": wire}
    url = fresh_engine.url.render_as_string(hide_password=False)
    async with serve_on_port(url, **how) as api, listen(api.url, token=token) as stream:
        await stream.read()
        wire.is_cut, wire.refused = True, 0
        await until_async(lambda: wire.refused >= 2)
        async with fresh_engine.begin() as connection:
            await connection.execute(insert(ScheduledJobRow).values(job_row()))
        assert (await stream.read_events(1))[0].event == "job"
        monkeypatch.setattr(kept_answers, "OUTAGE_SECONDS", 0.0)
        assert (await stream.read_to_end())[-1].comments == ["the caller may listen no longer"]


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        pytest.param(b'{"exp": 1}', True, id="long ago"),
        pytest.param(b'{"exp": 99999999999}', False, id="later"),
        pytest.param(b'{"sub": "x"}', False, id="no end"),
        pytest.param(b"[]", False, id="no claims"),
        pytest.param(b"{", False, id="no JSON"),
    ],
)
def test_a_tokens_own_end_holds(claims: bytes, expected: bool) -> None:  # noqa: FBT001
    token = "x." + base64.urlsafe_b64encode(claims).decode().rstrip("=") + ".x"
    assert has_expired(token, time.time()) is expected
    assert not has_expired("opaque", time.time())
