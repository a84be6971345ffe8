"""The API while Postgres or the API server is away, and when it is killed: nothing that it answered is lost.

SUNDIAL_OUTAGE_SECONDS sets how long Postgres stays away, SUNDIAL_KILLS how often the API is killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chaos.proxies import Proxies
from chaos.weather import Trouble, Weather
from testkit.mirror_comparison import Comparison, Rows
from testkit.processes.mortal_apis import MortalApi
from testkit.processes.operators import Starter, build_scheduled_job

from sundial_api.db import migrations
from sundial_api.db.engine import build_migration_engine
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import Postgres, own_postgres

OUTAGE_SECONDS = float(os.environ.get("SUNDIAL_OUTAGE_SECONDS", "20"))
KILLS = int(os.environ.get("SUNDIAL_KILLS", "3"))
SEED = int(os.environ.get("SUNDIAL_SEED", "20261123"))
READS = ("/jobs", "/executions", "/status", "/task-functions", "/job-types")
ALLOW = {"policy": "Allow"}
NOT_SUCCESSFUL = (
    "SELECT scheduled_for, status, error_message, attempts FROM scheduled_job_executions"
    " WHERE status <> 'success' ORDER BY scheduled_for"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """Give a migrated server that only this test uses, and may stop."""
    with own_postgres(tmp_path) as own:
        migrations.upgrade(build_migration_engine(DatabaseSettings(database_url=own.url())), "head", 60)
        yield own


@pytest.fixture
def rows(server: Postgres) -> Rows:
    """Read the server that may be stopped."""
    return Rows(server.url())


Launch = Callable[[Path], MortalApi]


@pytest.fixture
def launch(cluster: Cluster, namespace: str, server: Postgres, tmp_path: Path) -> Iterator[Launch]:
    """Give a function that starts the API with a kubeconfig."""
    started: list[MortalApi] = []

    def start(kubeconfig: Path) -> MortalApi:
        api = MortalApi(kubeconfig, namespace, server.url(), tmp_path / "api.log")
        started.append(api)
        api.start()
        api.use_function(cluster, namespace)
        return api

    yield start
    for api in started:
        api.close()


@pytest.fixture
def proxies(cluster: Cluster, tmp_path: Path) -> Iterator[Proxies]:
    """Give a way to the API server that can be cut."""
    with Proxies(cluster.server, cluster.folder / "pki" / "ca.crt", tmp_path, [1]) as running:
        yield running


@pytest.fixture
def behind(cluster: Cluster, namespace: str, proxies: Proxies, tmp_path: Path) -> Path:
    """Give the kubeconfig of an account that goes through the proxy."""
    account = f"--serviceaccount={namespace}:default"
    cluster.kubectl("create", "clusterrolebinding", namespace, "--clusterrole=cluster-admin", account)
    config = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    token = cluster.kubectl("create", "token", "default", "-n", namespace).strip()
    config["users"][0]["user"] = {"token": token}
    config["clusters"][0]["cluster"] = {
        "server": proxies.all[0].url,
        "certificate-authority": str(proxies.authority),
    }
    path = tmp_path / "behind.kubeconfig"
    path.write_text(json.dumps(config))
    return path


def until_over(seconds: float, check: Callable[[], None]) -> None:
    """Check again and again for some time."""
    over = threading.Event()
    threading.Timer(seconds, over.set).start()
    while not over.wait(0.2):
        check()


def test_an_outage_of_postgres_stops_reads_and_no_job(
    cluster: Cluster,
    start_operator: Starter,
    server: Postgres,
    launch: Launch,
    comparison: Comparison,
    rows: Rows,
) -> None:
    sundial = start_operator(SUNDIAL_TOMBSTONE_SECONDS="1")
    sundial.apply(build_scheduled_job("busy", {"interval": {"seconds": 1}}, concurrency=ALLOW))
    api = launch(cluster.kubeconfig)
    until(lambda: "sundial_schedules_awaiting_mirror 1.0" in sundial.health("/metrics")[1])
    server.stop("immediate")
    before = comparison.list_schedules()
    until_over(OUTAGE_SECONDS, lambda: check_away(api))
    after = comparison.list_schedules()
    assert [item["metadata"]["name"] for item in after] == ["busy"]
    assert count_started(after) - count_started(before) >= OUTAGE_SECONDS / 2
    server.start()
    until(lambda: {api.read(path) for path in READS} == {200})
    sundial.patch("busy", {"suspend": True})
    until(lambda: sundial.status("busy").get("activeCount") == 0)
    comparison.until_equal()
    assert rows.read(NOT_SUCCESSFUL) == []
    assert rows.read("SELECT count(*) FROM scheduled_job_executions")[0] >= OUTAGE_SECONDS / 2


def check_away(api: MortalApi) -> None:
    """Check that all reads and a write say that the database is away, and who is ready stays so."""
    assert {api.read(path) for path in READS} == {503}
    assert (api.create("not made")[0], api.try_read("/livez")[0]) == (503, 200)
    status, said = api.try_read("/readyz")
    assert (status, '"database":"away"' in said.replace(" ", "")) == (200, True)


def count_started(items: list[dict[str, object]]) -> int:
    (item,) = items
    return int(item["status"]["counters"]["verdicts"].get("started", 0))  # type: ignore[index]


@pytest.mark.parametrize("trouble", [Trouble.RESETS, Trouble.BLACK_HOLE])
def test_without_the_api_server_history_reads_and_writes_are_refused(
    launch: Launch, behind: Path, proxies: Proxies, rows: Rows, trouble: Trouble
) -> None:
    api = launch(behind)
    assert api.create("made")[0] == 201
    proxies.all[0].weather = Weather(trouble)
    assert {api.read(path) for path in READS} == {200}
    status, answer = api.create("not made")
    assert (status, "API server cannot be reached" in answer["detail"]) == (503, True)
    assert rows.read("SELECT name FROM scheduled_jobs") == ["made"]
    proxies.clear()
    until(lambda: api.create("made later")[0] == 201)
    api.until_synced()


def test_what_was_answered_before_a_kill_is_in_the_cluster_and_the_tables(
    cluster: Cluster, launch: Launch, comparison: Comparison, rows: Rows
) -> None:
    api, dice, answered = launch(cluster.kubeconfig), random.Random(SEED), set()
    for life in range(KILLS):
        killer = threading.Timer(dice.uniform(0.05, 1.5), api.end, [signal.SIGKILL])
        killer.start()
        number, status = 0, 201
        while status:
            status, job = api.create(f"job {life} {number}")
            answered |= {job["id"]} if status == 201 else set()
            number += 1
        killer.join()
        api.start()
    listed = {item["metadata"]["uid"] for item in comparison.list_schedules()}
    comparison.until_equal()
    shown = set(rows.read("SELECT CAST(id AS text) FROM scheduled_jobs WHERE deleted_at IS NULL"))
    assert (answered - listed, listed - shown, bool(answered)) == (set(), set(), True)
