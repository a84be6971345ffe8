"""The mirror as a child process; for tests of the ring cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from testkit.databases import copy_database
from testkit.mirror_comparison import Comparison, Rows

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import Postgres


class MirrorProcess:
    """A mirror of one namespace of a cluster into one database; `settings` of it are those of the API."""

    def __init__(self, cluster: Cluster, ns: str, url: str, log: Path, **settings: str) -> None:
        self.log = log
        self._cluster = cluster
        self._ns = ns
        self._environment = os.environ | {
            "KUBECONFIG": str(cluster.kubeconfig),
            "SUNDIAL_API_DATABASE_URL": url,
            "SUNDIAL_NAMESPACE": ns,
            "SUNDIAL_WATCH_NAMESPACES": ns,
            **{f"SUNDIAL_API_{name.upper()}": value for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, *namespaces: str) -> None:
        """Have the next process mirror other namespaces."""
        self._environment["SUNDIAL_WATCH_NAMESPACES"] = ",".join(namespaces)

    def start(self) -> None:
        """Start the process; it is not waited for."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-W", "default", "-m", "sundial_api.mirror"]
            self._process = subprocess.Popen(command, env=self._environment, stderr=log, stdout=log)

    def until_announced(self) -> None:
        """Wait until operators can see that somebody mirrors."""
        lease = ("lease", "sundial-mirror", "-n", self._ns, "--ignore-not-found")
        until(lambda: self._cluster.kubectl("get", *lease))

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to the process and wait for its end; return its exit status."""
        assert self._process is not None
        self._process.send_signal(how)
        status, self._process = self._process.wait(20), None
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process is not None
        self._process.send_signal(number)

    def is_running(self) -> bool:
        """Tell whether there is a process to end."""
        return self._process is not None


@pytest.fixture
def rows(postgres: Postgres, template: str) -> Iterator[Rows]:
    """Give a migrated database for this test alone."""
    with copy_database(postgres, template) as url:
        yield Rows(url)


@pytest.fixture
def mirror(stopped_mirror: MirrorProcess) -> MirrorProcess:
    """Give a mirror of the test's namespace, started."""
    stopped_mirror.start()
    return stopped_mirror


@pytest.fixture
def stopped_mirror(cluster: Cluster, namespace: str, rows: Rows, tmp_path: Path) -> Iterator[MirrorProcess]:
    """Give a mirror of the test's namespace, to be started; it is ended."""
    process = MirrorProcess(cluster, namespace, rows.url, tmp_path / "mirror.log")
    yield process
    if process.is_running():
        assert process.end() == 0, process.log.read_text()
    complaints = [line for line in process.log.read_text().splitlines() if "Traceback" in line]
    assert not complaints, process.log.read_text()


@pytest.fixture
def comparison(cluster: Cluster, namespace: str, rows: Rows) -> Comparison:
    """Give what holds the rows against the test's namespace."""
    return Comparison(cluster, namespace, rows)
