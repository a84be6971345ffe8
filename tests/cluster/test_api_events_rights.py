"""For how long may somebody listen? While account, right and token are good, as a real API server says."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from kubernetes.aio import client, config
from testkit.event_streams import Stream, listen, serve_on_port
from testkit.processes.apis import READER, make_user

from sundial_api.auth import kept_answers
from sundial_api.auth.access import SubjectAccessReviews
from sundial_api.auth.cluster_tokens import ClusterTokens, read_end
from sundial_api.clock import read_clock
from sundial_api.events import streams
from sundial_devcluster.cluster import Cluster
from sundial_kube.client import KubeClient


@pytest.fixture
async def reviews(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, Any]]:
    """Give what asks the API server about callers; it is asked often, and nothing is believed for longer."""
    monkeypatch.setattr(kept_answers, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(streams, "CHECK_SECONDS", 0.2)
    configuration = client.Configuration()
    await config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    async with KubeClient(configuration) as kube:
        yield {"authenticator": ClusterTokens(kube), "access": SubjectAccessReviews(kube), "client": kube}


async def read_last_words(stream: Stream) -> list[str]:
    """Read to the end; gives what was said last."""
    return (await stream.read_to_end())[-1].comments


async def test_stream_ends_with_the_right(
    reviews: dict[str, Any], cluster: Cluster, namespace: str, fresh_database: str
) -> None:
    token = make_user(cluster, namespace, "leaver", READER, "Role")
    async with serve_on_port(fresh_database, **reviews) as api:
        async with listen(api.url, token=token, namespace=namespace) as stream:
            await stream.read()
            cluster.kubectl("delete", "rolebinding", "-n", namespace, f"{namespace}-leaver")
            assert await read_last_words(stream) == ["the caller may listen no longer"]
        async with listen(api.url, token=token, namespace=namespace) as stream:
            assert stream.answer.status_code == 403


async def test_stream_ends_with_the_account(
    reviews: dict[str, Any], cluster: Cluster, namespace: str, fresh_database: str
) -> None:
    token = make_user(cluster, namespace, "leaver", READER, "ClusterRole")
    async with (
        serve_on_port(fresh_database, **reviews) as api,
        listen(api.url, token=token) as stream,
        listen(api.url, token=make_user(cluster, namespace, "stayer", READER, "ClusterRole")) as other,
    ):
        await stream.read()
        await other.read()
        cluster.kubectl("delete", "serviceaccount", "-n", namespace, "leaver")
        assert await read_last_words(stream) == ["the caller may listen no longer"]
        assert api.application.state.registry.get_sample_value("sundial_api_event_listeners") == 1


async def test_stream_ends_with_the_token(
    reviews: dict[str, Any],
    cluster: Cluster,
    namespace: str,
    fresh_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "CHECK_SECONDS", 600.0)
    token = make_user(cluster, namespace, "reader", READER, "ClusterRole")
    ahead: list[timedelta] = []

    def read_ahead() -> datetime:
        """Read a clock that comes near to the token's end when it is first looked at."""
        if not ahead:
            ahead.append(timedelta(seconds=(read_end(token) or 0) - time.time() - 3.0))
        return read_clock() + ahead[0]

    async with serve_on_port(fresh_database, **reviews, read_clock=read_ahead) as api:
        async with listen(api.url, token=token) as stream:
            assert stream.answer.status_code == 200
            assert [found.comments for found in await stream.read_to_end()] == [[]]
        async with listen(api.url, token=token) as stream:
            assert stream.answer.status_code == 401
            assert "expired" in (await stream.answer.aread()).decode()
