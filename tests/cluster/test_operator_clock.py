"""An operator whose clock is off starts nothing, says so, and goes on when the clocks agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from chaos.proxies import Proxies, Proxy
from chaos.weather import CLEAR, Trouble, Weather
from testkit.processes.operators import (
    Starter,
    Sundial,
    build_scheduled_job,
    slot_of,
)

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until

EVERY_SECOND = {"interval": {"seconds": 1}}


@pytest.fixture
def proxy(cluster: Cluster, tmp_path: Path) -> Iterator[Proxy]:
    """Give a way to the API server that can move the dates of its answers."""
    authority = tmp_path / "ca.crt"
    authority.write_text(cluster.kubectl("get", "cm", "kube-root-ca.crt", "-o", "jsonpath={.data.ca\\.crt}"))
    with Proxies(cluster.server, authority, tmp_path, [1]) as proxies:
        yield proxies.all[0]


def _log_in(cluster: Cluster, ns: str, proxy: Proxy, folder: Path) -> str:
    """Make a service account that may do all in its namespace, and a kubeconfig for it through the proxy."""
    cluster.kubectl("create", "serviceaccount", "operator", "-n", ns)
    account = f"--serviceaccount={ns}:operator"
    cluster.kubectl("create", "rolebinding", "operator", "-n", ns, "--clusterrole=cluster-admin", account)
    config = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    authority = str(folder / "proxy-ca.crt")
    config["clusters"][0]["cluster"] = {"server": proxy.url, "certificate-authority": authority}
    token = cluster.kubectl("create", "token", "operator", "-n", ns).strip()
    config["users"][0]["user"] = {"token": token}
    path = folder / "operator.kubeconfig"
    path.write_text(json.dumps(config))
    return str(path)


@pytest.fixture
def sundial(
    cluster: Cluster, namespace: str, proxy: Proxy, tmp_path: Path, start_operator: Starter
) -> Sundial:
    """Give an operator behind the proxy, with a job every second that is not caught up on."""
    sundial = start_operator(KUBECONFIG=_log_in(cluster, namespace, proxy, tmp_path))
    rule = {"policy": "None", "graceSeconds": 5}
    sundial.apply(build_scheduled_job("tick", EVERY_SECOND, catchUp=rule, history={"successful": 100}))
    until(lambda: len(sundial.jobs("tick")) > 2)
    return sundial


def _find_silence(sundial: Sundial) -> timedelta:
    """Find how old the newest slot is that has a Job."""
    return datetime.now(UTC) - datetime.fromisoformat(slot_of(sundial.jobs("tick")[-1]))


def test_nothing_starts_by_a_clock_that_is_off(sundial: Sundial, proxy: Proxy) -> None:
    proxy.weather = Weather(Trouble.SKEWED, 1, 3600)
    until(lambda: _find_silence(sundial) > timedelta(seconds=8))
    assert "s behind the API server's: nothing starts" in sundial.health("/readyz")[1]
    assert "sundial_clock_trusted 0.0" in sundial.health("/metrics")[1]
    assert sundial.condition("tick", "ClockTrusted")["reason"] == "ClockUntrusted"
    proxy.weather = CLEAR
    until(lambda: _find_silence(sundial) < timedelta(seconds=3))
    until(lambda: sundial.condition("tick", "ClockTrusted")["reason"] == "ClockInStep")
    assert sundial.status("tick")["counters"]["verdicts"]["missed"]["TooLate"] >= 1


def test_a_small_skew_is_told_and_harmless(sundial: Sundial, proxy: Proxy) -> None:
    proxy.weather = Weather(Trouble.SKEWED, 1, -20)
    until(lambda: sundial.condition("tick", "ClockTrusted").get("reason") == "ClockSkewed")
    assert "s ahead of the API server's" in sundial.health("/readyz")[1]
    assert _find_silence(sundial) < timedelta(seconds=5)


def test_a_cursor_of_the_future_is_reset(sundial: Sundial) -> None:
    patch = json.dumps({"status": {"cursor": "2099-01-01T00:00:00Z"}})
    sundial.cluster.kubectl(
        *("patch", "sj", "tick", "-n", sundial.ns, "--subresource=status", "--type=merge", "-p", patch)
    )
    until(lambda: sundial.condition("tick", "ClockTrusted").get("reason") == "CursorAhead")
    assert sundial.status("tick")["cursor"] < "2099"
    before = len(sundial.jobs("tick"))
    until(lambda: len(sundial.jobs("tick")) > before)
