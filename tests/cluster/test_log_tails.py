"""The ends of logs are kept on a real control plane; a test plays the kubelet of the node that has them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs
from testkit.kept_logs import KEPT_BYTES, FailingRuns, Keeping, connect, want_log, wire_to
from testkit.kubelets import PlayedKubelet
from testkit.mirror_rows import read
from testkit.mirror_sessions import Session
from testkit.processes.mirrors import MirrorProcess

from sundial_api.mirror import log_keeper
from sundial_api.mirror.storage import log_tails
from sundial_api.settings import DatabaseSettings
from sundial_core.coordination.backoff import Backoff
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until_async

SECRET = "s3cr3t-hunter2"


async def test_without_the_setting_nothing_is_kept_and_nobody_is_asked(
    runs: FailingRuns,
    kubelet: PlayedKubelet,
    cluster: Cluster,
    fresh_engine: AsyncEngine,
    fresh_database: str,
) -> None:
    runs.fail("fails")
    keeping = Keeping(fresh_engine, runs.sundial.ns, DatabaseSettings(database_url=fresh_database))
    async with keeping.mirror(cluster):

        async def list_phases() -> list[str]:
            async with fresh_engine.begin() as connection:
                return await read(connection, "scheduled_job_executions", "phase")

        await until_async(lambda: is_failed(list_phases))
    assert (await keeping.read(), kubelet.asked) == ([], [])


async def is_failed(list_phases: Any) -> bool:
    return await list_phases() == ["Failed"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        pytest.param(
            f"password={SECRET}\n\x1b[31mpass\x1b[0mword={SECRET}\n".encode() + b"\xff\x00\x07caf\xe9\n",
            "password=[redacted]\npassword=[redacted]\n\ufffdcaf\ufffd\n",
            id="secrets-and-controls",
        ),
        pytest.param(
            f"token={SECRET}{'x' * 3000} ".encode() + b"y" * (KEPT_BYTES - 7) + b"\n",
            "cted] " + "y" * (KEPT_BYTES - 7) + "\n",
            id="a-secret-at-the-cut",
        ),
        pytest.param(b"x" * 2**20, "x" * KEPT_BYTES, id="one-line-of-a-mebibyte"),
        pytest.param("م".encode() * 2**19, "م" * (KEPT_BYTES // 2), id="a-mebibyte-of-Arabic"),
        pytest.param(b"\x1b[" + b"0" * 2**20, "0" * KEPT_BYTES, id="an-escape-without-end"),
    ],
)
async def test_of_hostile_logs_little_is_kept_and_no_secret(
    runs: FailingRuns, keeping: Keeping, kubelet: PlayedKubelet, cluster: Cluster, written: bytes, kept: str
) -> None:
    runs.fail("fails")
    kubelet.logs = {(runs.sundial.ns, "main"): written}
    async with keeping.mirror(cluster):
        (row,) = await keeping.until_settled()
    assert row[4] == kept


async def test_a_pod_that_was_replaced_before_or_meanwhile_is_not_kept(
    runs: FailingRuns, keeping: Keeping, kubelet: PlayedKubelet, cluster: Cluster
) -> None:
    _, before = runs.fail("before")
    _, meanwhile = runs.fail("meanwhile")
    kubelet.frozen = {runs.sundial.ns}
    async with keeping.mirror(cluster):
        names = {pod["metadata"]["name"] for pod in (before, meanwhile)}
        await until_async(lambda: {name for _, name in kubelet.asked} == names)
    runs.replace_pod(before)
    kubelet.asked.clear()
    async with keeping.mirror(cluster):
        name = meanwhile["metadata"]["name"]
        await until_async(lambda: (runs.sundial.ns, name) in kubelet.asked)
        runs.replace_pod(meanwhile)
        kubelet.logs = {(runs.sundial.ns, "main"): b"another's\n"}
        kubelet.thawed.set()
        rows = await keeping.until_settled()
    assert {row[3:5] for row in rows} == {(None, None)}
    assert {name for _, name in kubelet.asked} == {name}
    assert keeping.count("gone") == 2


@pytest.fixture
def killed(cluster: Cluster, namespace: str, fresh_database: str, tmp_path: Path) -> Iterator[MirrorProcess]:
    """Give a mirror as a process, which the test kills."""
    settings = {"log_tail_bytes": str(KEPT_BYTES)}
    process = MirrorProcess(cluster, namespace, fresh_database, tmp_path / "killed.log", **settings)
    process.start()
    yield process
    if process.is_running():
        process.end(signal.SIGKILL)


async def test_a_crash_before_a_log_was_read_loses_nothing(
    runs: FailingRuns, keeping: Keeping, kubelet: PlayedKubelet, killed: MirrorProcess, cluster: Cluster
) -> None:
    kubelet.frozen = {runs.sundial.ns}
    runs.fail("fails")
    await until_async(lambda: kubelet.asked)
    killed.end(signal.SIGKILL)
    kubelet.thawed.set()
    assert [row[4] for row in await keeping.read()] == [None]
    async with keeping.mirror(cluster):
        assert [row[4] for row in await keeping.until_settled()] == ["one\ntwo\nthree\n"]


@pytest.mark.parametrize("trouble", ["cut", "freeze"])
async def test_while_the_api_server_is_away_wishes_wait_and_rows_are_written(
    keeping: Keeping,
    kubelet: PlayedKubelet,
    cluster: Cluster,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    trouble: str,
) -> None:
    monkeypatch.setattr(log_tails, "AGAIN_SECONDS", 0)
    monkeypatch.setattr(log_keeper, "READ_SECONDS", 1.0)
    await want_log(keeping, cluster, namespace, kubelet.node)
    with wire_to(cluster) as wire:
        getattr(wire, trouble)()
        async with connect(cluster, wire.port) as kube, keeping.keep(kube):
            failures = "sundial_mirror_log_tail_failures_total"
            labels = {"error": "ApiUnreachable"}
            await until_async(lambda: (keeping.registry.get_sample_value(failures, labels) or 0) >= 2)
            await write_a_row(keeping)
            assert [row[1:4] for row in await keeping.read()] == [(0, False, None)]
            wire.clear()
            assert [row[4] for row in await keeping.until_settled()] == ["one\ntwo\nthree\n"]


async def write_a_row(keeping: Keeping) -> None:
    """Have the mirror write a batch of nothing, which takes its turn."""
    async with keeping.engine.connect() as connection:
        await Session(connection, KEPT_BYTES).rows.close_gaps(1)


async def test_what_is_wanted_for_a_day_in_vain_is_dropped(
    keeping: Keeping,
    kubelet: PlayedKubelet,
    cluster: Cluster,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_keeper, "MAX_AGE", timedelta(0))
    await want_log(keeping, cluster, namespace, kubelet.node)
    with wire_to(cluster) as wire:
        wire.cut()
        async with connect(cluster, wire.port) as kube, keeping.keep(kube):
            assert [row[3] for row in await keeping.until_settled()] == [None]
    assert keeping.count("dropped") == 1


async def test_a_log_that_is_refused_is_tried_a_few_times(
    keeping: Keeping,
    kubelet: PlayedKubelet,
    cluster: Cluster,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_tails, "AGAIN_SECONDS", 0)
    monkeypatch.setattr(log_keeper, "MAX_TRIES", 3)
    kubelet.status = 500
    await want_log(keeping, cluster, namespace, kubelet.node)
    async with connect(cluster) as kube, keeping.keep(kube):
        assert [row[1:5] for row in await keeping.until_settled()] == [(3, True, None, None)]
    assert (len(kubelet.asked), keeping.count("dropped")) == (3, 1)


async def test_a_right_that_is_missing_is_said_once(
    keeping: Keeping,
    kubelet: PlayedKubelet,
    cluster: Cluster,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_tails, "AGAIN_SECONDS", 0)
    monkeypatch.setattr(log_keeper, "BACKOFF", Backoff(first_seconds=0.01, max_seconds=0.01))
    kubelet.status = 403
    await want_log(keeping, cluster, namespace, kubelet.node)
    labels = {"error": "ApiError"}

    async def is_refused_again() -> bool:
        name = "sundial_mirror_log_tail_failures_total"
        return (keeping.registry.get_sample_value(name, labels) or 0) >= 3

    with capture_logs() as said:
        async with connect(cluster) as kube, keeping.keep(kube):
            await until_async(is_refused_again)
            assert [line["namespace"] for line in said] == [namespace]
            kubelet.status = 200
            assert [row[4] for row in await keeping.until_settled()] == ["one\ntwo\nthree\n"]


async def test_a_node_that_does_not_answer_holds_up_no_other_namespace(
    keeping: Keeping, kubelet: PlayedKubelet, cluster: Cluster, namespace: str
) -> None:
    other = f"{namespace}-other"
    cluster.kubectl("create", "namespace", other)
    kubelet.frozen = {namespace}
    kubelet.logs[other, "main"] = b"other\n"
    await want_log(keeping, cluster, namespace, kubelet.node)
    await want_log(keeping, cluster, other, kubelet.node)
    async with connect(cluster) as kube, keeping.keep(kube):
        columns = "namespace, tries, log_text"

        async def is_kept() -> bool:
            return (other, 0, "other\n") in await keeping.read(columns)

        await until_async(is_kept)
        assert (namespace, 0, None) in await keeping.read(columns)
    cluster.kubectl("delete", "namespace", other, "--wait=false")
