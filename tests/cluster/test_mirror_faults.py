"""Whatever is killed, the rows end up as the cluster is, and no history is lost that it still held.

SUNDIAL_KILLS sets how many kills there are, SUNDIAL_OUTAGE_SECONDS how long Postgres stays away.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from testkit.mirror_comparison import Comparison, Rows
from testkit.processes.mirrors import MirrorProcess
from testkit.processes.operators import Starter, Sundial, build_scheduled_job

from sundial_api.db import migrations
from sundial_api.db.engine import build_migration_engine
from sundial_api.settings import DatabaseSettings
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import Postgres, get_programs, make_postgres

KILLS = int(os.environ.get("SUNDIAL_KILLS", "5"))
OUTAGE_SECONDS = float(os.environ.get("SUNDIAL_OUTAGE_SECONDS", "10"))
SEED = int(os.environ.get("SUNDIAL_SEED", "20261123"))
LONGEST_PHASE = 2.0
SLOTS_IN_OUTAGE = 8
NAMES = ("one", "two", "three")


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """Give a migrated server that only this test uses, and may kill."""
    server = make_postgres(get_programs())
    server.create()
    server.start()
    try:
        settings = DatabaseSettings(database_url=server.url())
        migrations.upgrade(build_migration_engine(settings), "head", 60)
        yield server
    finally:
        if server.is_running():
            server.stop("immediate")
        shutil.rmtree(server.folder)


@pytest.fixture
def rows(own_postgres: Postgres) -> Rows:
    """Read the server that may be killed."""
    return Rows(own_postgres.url())


@pytest.fixture
def start_busy(start_operator: Starter) -> Callable[[], Sundial]:
    """Give what starts an operator whose schedules start three Jobs a second, and delete them soon."""

    def start() -> Sundial:
        sundial = start_operator(SUNDIAL_TOMBSTONE_SECONDS="1")
        for name in NAMES:
            job = build_scheduled_job(
                name, {"interval": {"seconds": 1}}, concurrency={"policy": "Allow"}, history={"successful": 1}
            )
            sundial.apply(job)
        return sundial

    return start


@pytest.fixture
def busy(start_busy: Callable[[], Sundial], mirror: MirrorProcess) -> Sundial:
    """Give such an operator beside a mirror; what ends before there is any may go unseen."""
    mirror.until_announced()
    return start_busy()


def settle_down(sundial: Sundial) -> None:
    """Suspend the schedules, and wait until nothing is active any more."""
    for name in NAMES:
        sundial.patch(name, {"suspend": True})
    for name in NAMES:
        until(lambda name=name: sundial.status(name).get("activeCount") == 0)  # type: ignore[misc]


def let_pass(seconds: float) -> None:
    """Let a phase of random length pass; what happens in it is the test."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end, seconds + 10)


def check_complete(rows: Rows) -> None:
    """Check that no outcome and no slot was lost."""
    assert rows.read("SELECT id FROM scheduled_job_executions WHERE reason = 'OutcomeUnknown'") == []
    assert rows.read("SELECT count FROM scheduler_slots WHERE verdict = 'NotMirrored'") == []
    ends = "SELECT DISTINCT status, exit_code, node IS NULL OR pod_name IS NULL FROM scheduled_job_executions"
    assert rows.read(ends) == [("success", 0, False)]


def kill_mirror(mirror: MirrorProcess) -> None:
    mirror.end(signal.SIGKILL)
    mirror.start()


def kill_postgres(server: Postgres) -> None:
    server.stop("immediate")
    server.start()


def test_kills_at_random_moments_lose_nothing(
    own_postgres: Postgres, rows: Rows, mirror: MirrorProcess, busy: Sundial, comparison: Comparison
) -> None:
    dice = random.Random(SEED)
    until(lambda: rows.read("SELECT count(*) FROM scheduled_job_executions")[0] > 0)
    for _ in range(KILLS):
        let_pass(dice.uniform(0, LONGEST_PHASE))
        if dice.random() < 0.6:
            kill_mirror(mirror)
        else:
            kill_postgres(own_postgres)
    settle_down(busy)
    comparison.until_equal()
    check_complete(rows)


def count_started(sundial: Sundial) -> int:
    counters = sundial.status("one").get("counters") or {"verdicts": {}}
    return int(counters["verdicts"].get("started", 0))


def test_an_outage_of_postgres_loses_nothing(
    own_postgres: Postgres, rows: Rows, busy: Sundial, comparison: Comparison
) -> None:
    until(lambda: count_started(busy) > 0)
    own_postgres.stop("immediate")
    before = count_started(busy)
    let_pass(OUTAGE_SECONDS)
    assert count_started(busy) > before
    own_postgres.start()
    settle_down(busy)
    comparison.until_equal()
    check_complete(rows)


@pytest.fixture
def lose_lease(cluster: Cluster, namespace: str, stopped_mirror: MirrorProcess) -> Callable[[], None]:
    """Give what deletes the mirror's Lease, and waits until it is there again."""

    def lose() -> None:
        cluster.kubectl("delete", "lease", "sundial-mirror", "-n", namespace)
        stopped_mirror.until_announced()

    return lose


def test_what_ends_before_the_database_can_be_reached_is_not_lost(
    own_postgres: Postgres,
    rows: Rows,
    stopped_mirror: MirrorProcess,
    lose_lease: Callable[[], None],
    start_busy: Callable[[], Sundial],
    comparison: Comparison,
) -> None:
    own_postgres.stop()
    stopped_mirror.start()
    until(lambda: "the mirror begins anew" in stopped_mirror.log.read_text())
    lose_lease()
    busy = start_busy()
    until(lambda: count_started(busy) > SLOTS_IN_OUTAGE, OUTAGE_SECONDS + 30)
    own_postgres.start()
    settle_down(busy)
    comparison.until_equal()
    check_complete(rows)


@pytest.fixture
def second(cluster: Cluster, namespace: str, rows: Rows, tmp_path: Path) -> Iterator[MirrorProcess]:
    """Give a second mirror of the same namespace, not started; it is ended."""
    process = MirrorProcess(cluster, namespace, rows.url, tmp_path / "second.log")
    yield process
    if process.is_running():
        process.end()


def test_a_second_mirror_takes_over(
    rows: Rows, mirror: MirrorProcess, second: MirrorProcess, busy: Sundial, comparison: Comparison
) -> None:
    until(lambda: rows.read("SELECT count(*) FROM scheduled_job_executions")[0] > 0)
    second.start()
    mirror.end(signal.SIGKILL)
    settle_down(busy)
    comparison.until_equal()
    check_complete(rows)
    assert second.end() == 0
