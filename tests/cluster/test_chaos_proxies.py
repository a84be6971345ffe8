"""What the proxies do to a request on its way to a real API server."""

from __future__ import annotations

import contextlib
import http.client
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from chaos.proxies import Proxies, Proxy
from chaos.weather import Trouble, Weather

from sundial_devcluster.cluster import Cluster

SECONDS = 3.0


@pytest.fixture
def proxies(cluster: Cluster, tmp_path: Path) -> Iterator[Proxies]:
    with Proxies(cluster.server, cluster.folder / "pki" / "ca.crt", tmp_path, [1]) as running:
        yield running


@pytest.fixture
def token(cluster: Cluster, namespace: str) -> str:
    """Give a token of an account that may create ConfigMaps in the test's namespace."""
    account, role = f"--serviceaccount={namespace}:default", "--clusterrole=admin"
    cluster.kubectl("create", "rolebinding", "admin", "-n", namespace, role, account)
    return cluster.kubectl("create", "token", "default", "-n", namespace).strip()


class Answer(NamedTuple):
    status: int
    body: bytes
    date: str


def _send(proxies: Proxies, method: str, path: str, token: str, body: str = "") -> Answer:
    tls = ssl.create_default_context(cafile=str(proxies.authority))
    address = proxies.all[0].url.removeprefix("https://")
    connection = http.client.HTTPSConnection(address, context=tls, timeout=SECONDS)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with contextlib.closing(connection):
        connection.request(method, path, body=body or None, headers=headers)
        with connection.getresponse() as answer:
            return Answer(answer.status, answer.read(), answer.headers["Date"])


def _set(proxy: Proxy, trouble: Trouble, skew_seconds: float = 0) -> None:
    proxy.weather = Weather(trouble, skew_seconds=skew_seconds)


@pytest.mark.parametrize(
    ("trouble", "status"),
    [(Trouble.NONE, 200), (Trouble.THROTTLED, 429), (Trouble.ERRORS, 500), (Trouble.STALLED, 200)],
)
def test_a_request_is_answered(proxies: Proxies, token: str, trouble: Trouble, status: int) -> None:
    _set(proxies.all[0], trouble)
    assert _send(proxies, "GET", "/version", token).status == status


@pytest.mark.parametrize(
    ("trouble", "error", "has_effect"),
    [
        (Trouble.RESETS, ConnectionError, 0),
        (Trouble.BLACK_HOLE, TimeoutError, 0),
        (Trouble.LOST_ANSWERS, ConnectionError, 1),
        (Trouble.UNHEARD, TimeoutError, 1),
    ],
)
def test_a_request_without_an_answer_has_its_effect_at_once_or_never(
    proxies: Proxies, token: str, namespace: str, trouble: Trouble, error: type[OSError], has_effect: int
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    _set(proxies.all[0], trouble)
    with pytest.raises(error):
        _send(proxies, "POST", path, token, '{"metadata": {"name": "made"}}')
    assert proxies.count_met() == {trouble: 1}
    proxies.clear()
    assert _send(proxies, "GET", f"{path}/made", token).status == (200 if has_effect else 404)


def test_a_watch_expires(proxies: Proxies, token: str, namespace: str) -> None:
    _set(proxies.all[0], Trouble.GONE)
    path = f"/api/v1/namespaces/{namespace}/configmaps?watch=true&resourceVersion=1"
    answer = _send(proxies, "GET", path, token)
    assert (answer.status, b'"code":410' in answer.body) == (200, True)


def test_the_date_is_moved(proxies: Proxies, token: str) -> None:
    _set(proxies.all[0], Trouble.SKEWED, skew_seconds=-600)
    date = parsedate_to_datetime(_send(proxies, "GET", "/version", token).date)
    assert abs(datetime.now(UTC) - timedelta(minutes=10) - date) < timedelta(seconds=30)
