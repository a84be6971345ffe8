"""A database that is put back to a backup, mirrored or not: rows are right again, and ids of events new."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from testkit.database_backups import DatabaseBackup
from testkit.mirror_comparison import Comparison, Rows
from testkit.processes.mirrors import MirrorProcess
from testkit.processes.operators import build_scheduled_job

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.kubectl import kubectl_program
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import Postgres

LOG_ID = "SELECT CAST(log_id AS text) FROM scheduler_event_log"
HAS_BEATEN = "SELECT coalesce(last_synced_at > :instant, false) FROM scheduler_mirror_state"
IS_MIRRORED = "SELECT coalesce(mirrored_until > :instant, false) FROM scheduler_mirror_state"
SHOWN = "SELECT name, description FROM scheduled_jobs WHERE deleted_at IS NULL ORDER BY name"
AFTER = [("kept", "after"), ("new", "after")]

Backups = Callable[[], DatabaseBackup]


@pytest.fixture
def back_up(postgres: Postgres, rows: Rows, tmp_path: Path) -> Backups:
    """Give what makes a backup of the mirror's database."""
    return lambda: DatabaseBackup(postgres, rows.url, tmp_path / "dump")


@pytest.fixture
def told(cluster: Cluster, namespace: str, stopped_mirror: MirrorProcess, tmp_path: Path) -> Iterator[Path]:
    """Give a file with each state of the mirror's Lease, in a line."""
    what = "{.metadata.annotations}{'\\n'}"
    command = ["get", "lease", "-n", namespace, "--watch", "-o", f"jsonpath={what}"]
    with (tmp_path / "told").open("wb") as file:
        kubectl = [str(kubectl_program()), "--kubeconfig", str(cluster.kubeconfig), *command]
        watching = subprocess.Popen(kubectl, stdout=file)
    yield tmp_path / "told"
    watching.terminate()
    watching.wait(10)


class Changes:
    """What is done to ScheduledJobs of the test's namespace."""

    def __init__(self, cluster: Cluster, ns: str) -> None:
        self._cluster, self._ns = cluster, ns

    def apply(self, description: str, *names: str) -> None:
        for name in names:
            item = build_scheduled_job(name, {"cron": "@yearly"}, description=description)
            self._cluster.kubectl("apply", "-n", self._ns, "-f", "-", input=json.dumps(item))

    def delete(self, name: str) -> None:
        self._cluster.kubectl("delete", "sj", name, "-n", self._ns)

    def make_later_ones(self) -> None:
        """Change one that is there, delete one, and make one."""
        self.apply("after", "kept", "new")
        self.delete("gone")


@pytest.fixture
def changes(cluster: Cluster, namespace: str) -> Changes:
    """Give what changes ScheduledJobs; two are there."""
    found = Changes(cluster, namespace)
    found.apply("before", "kept", "gone")
    return found


def wait_for_beat(rows: Rows) -> None:
    now = datetime.now(UTC)
    until(lambda: rows.read(HAS_BEATEN, instant=now) == [True], 60)


def wait_until_mirrored(rows: Rows) -> None:
    """Wait until it is said that all is mirrored that there is now."""
    now = datetime.now(UTC)
    until(lambda: rows.read(IS_MIRRORED, instant=now) == [True], 120)


def go_on(_rows: Rows) -> None:
    """Wait for nothing."""


@pytest.mark.usefixtures("mirror")
@pytest.mark.parametrize("wait", [wait_for_beat, go_on])
def test_a_restore_under_a_mirror_is_noticed(
    changes: Changes,
    told: Path,
    rows: Rows,
    comparison: Comparison,
    back_up: Backups,
    wait: Callable[[Rows], None],
) -> None:
    comparison.until_equal()
    wait_for_beat(rows)
    backup, log_id = back_up(), rows.read(LOG_ID)
    changes.make_later_ones()
    comparison.until_equal()
    wait(rows)
    backup.restore()
    wait_until_mirrored(rows)
    assert comparison.find_differences() == []
    assert rows.read(SHOWN) == AFTER
    assert rows.read(LOG_ID) != log_id
    assert '"jobs":"0"' in told.read_text().replace("\\", "")
    again = rows.read(LOG_ID)
    wait_for_beat(rows)
    assert rows.read(LOG_ID) == again


def test_a_restore_while_nobody_mirrors_is_noticed_once(
    changes: Changes, mirror: MirrorProcess, rows: Rows, comparison: Comparison, back_up: Backups
) -> None:
    comparison.until_equal()
    wait_for_beat(rows)
    backup, log_id = back_up(), rows.read(LOG_ID)
    changes.make_later_ones()
    comparison.until_equal()
    wait_for_beat(rows)
    mirror.end()
    backup.restore()
    found = [read_log_id_after_start(mirror, rows) for _ in range(2)]
    assert rows.read(SHOWN) == AFTER
    assert (found[0] != log_id, found[0] == found[1]) == (True, True)


@pytest.mark.parametrize(
    ("step", "logs"),
    [
        pytest.param("999999999999", 2, id="far ahead"),
        pytest.param("999999999999999999", 1, id="absurd"),
        pytest.param("99999999999999999999", 1, id="too large"),
        pytest.param("-1", 1, id="negative"),
        pytest.param("NaN", 1, id="no number"),
    ],
)
def test_nonsense_in_the_lease_begins_no_log_for_ever(
    cluster: Cluster, namespace: str, mirror: MirrorProcess, rows: Rows, step: str, logs: int
) -> None:
    wait_for_beat(rows)
    found = [rows.read(LOG_ID)]
    mirror.end()
    mark = f"sundial.dev/mirror-step={step}"
    cluster.kubectl("annotate", "lease", "sundial-mirror", "-n", namespace, "--overwrite", mark)
    found += [read_log_id_after_start(mirror, rows) for _ in range(3)]
    assert len({str(log_id) for log_id in found}) == logs
    assert found[1:] == [found[1]] * 3


def read_log_id_after_start(mirror: MirrorProcess, rows: Rows) -> Any:
    """Mirror until a session is synced, and read the id of the log."""
    mirror.start()
    wait_for_beat(rows)
    mirror.end()
    return rows.read(LOG_ID)
