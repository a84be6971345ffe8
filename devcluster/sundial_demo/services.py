"""Operator and API as children of the demo: started, watched over, ended by SIGTERM."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sundial_demo.ground import Ground, Report
from sundial_demo.installation import NAMESPACE, write_kubeconfig
from sundial_demo.systems import ASK_SECONDS, PATH, ZONE, Api, System
from sundial_devcluster.addresses import LOOPBACK, free_ports
from sundial_devcluster.children import Child, spawn
from sundial_devcluster.choose import Kind
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import own_postgres
from sundial_devcluster.processes import MARK, end, identify

STOP_GRACE = 20.0
TAIL_LINES = 15
READY_SECONDS = 60


class Service:
    """Know a running child and its log."""

    def __init__(self, name: str, child: Child, log: Path) -> None:
        self.name = name
        self._child = child
        self._log = log

    def check(self) -> None:
        """Raise ClusterError when it has ended."""
        if self._child.poll() is not None:
            raise self.failure(f"The {self.name} ended with status {self._child.status}")

    def failure(self, sentence: str) -> ClusterError:
        """Return an error with the tail of its log."""
        tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        return ClusterError(f"{sentence}; its log ends:\n{tail}")


@contextmanager
def processes(ground: Ground, report: Report) -> Iterator[System]:
    """Run the operator as a process beside the cluster, and the API when it is asked for."""
    # On a cluster of the user's own, the schedules of others are not the demo's business.
    watched = NAMESPACE if ground.kind is Kind.CURRENT else ""
    report("starting the operator, as a ServiceAccount of its own")
    login = write_kubeconfig(ground, "sundial", "sundial-operator")
    with running_operator(login, watched) as operator:
        yield System(operator, lambda: _with_database(ground, watched, report))


@contextmanager
def _with_database(ground: Ground, watched: str, report: Report) -> Iterator[Api]:
    report("starting Postgres and the API, as a ServiceAccount of its own")
    with own_postgres(ground.folder) as database:
        login = write_kubeconfig(ground, "sundial-api", "sundial-api")
        with running_api(login, watched, database.url()) as api:
            yield api


@contextmanager
def running_operator(kubeconfig: Path, watched: str) -> Iterator[Service]:
    """Run the operator for one namespace, or for all if `watched` is empty; it logs beside its kubeconfig."""
    settings = {"SUNDIAL_TOMBSTONE_SECONDS": "60", "SUNDIAL_HEALTH_PORT": "0"}  # others may run beside us
    with _running("operator", kubeconfig, watched, settings) as operator:
        yield operator


@contextmanager
def running_api(kubeconfig: Path, watched: str, database: str) -> Iterator[Api]:
    """Run the API on a database that is made ready first; it has mirrored all when the block begins."""
    port = free_ports(1, ())[0]
    settings = {
        "SUNDIAL_API_DATABASE_URL": database,
        "SUNDIAL_API_AUTH": "none",
        "SUNDIAL_API_HOST": LOOPBACK,
        "SUNDIAL_API_PORT": str(port),
        "SUNDIAL_API_TIME_ZONE": ZONE,
        "SUNDIAL_API_NAMESPACE": NAMESPACE,
    }
    _migrate(settings)
    with _running("API", kubeconfig, watched, settings) as api:
        _wait_ready(api, f"http://{LOOPBACK}:{port}/readyz")
        yield Api(api, f"http://{LOOPBACK}:{port}{PATH}")


@contextmanager
def _running(name: str, kubeconfig: Path, watched: str, settings: Mapping[str, str]) -> Iterator[Service]:
    log = kubeconfig.with_suffix(".log")
    environment = _environment() | {
        MARK: str(kubeconfig.parent),  # by which `down` finds it
        "KUBECONFIG": str(kubeconfig),
        "SUNDIAL_WATCH_NAMESPACES": watched,
        **settings,
    }
    # Whatever kills the demo ends its children too, where util-linux is there to arrange it.
    tied = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
    child = spawn((*tied, sys.executable, "-m", f"sundial_{name.lower()}"), environment, log)
    try:
        yield Service(name, child, log)
    finally:
        process = identify(child.pid)
        if process is not None:
            end(process, STOP_GRACE)
        child.poll()


def _environment() -> dict[str, str]:
    """Return our environment without anybody's settings of Sundial."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SUNDIAL_")}


def _migrate(settings: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "sundial_api.db", "upgrade"]
    done = subprocess.run(
        command, env={**_environment(), **settings}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ClusterError(f"The database could not be made ready: {done.stderr.strip()}")


def _wait_ready(api: Service, url: str) -> None:
    """Wait until the API has mirrored the cluster; raise ClusterError when it ends or is silent."""

    def is_ready() -> bool:
        api.check()
        try:
            with urllib.request.urlopen(url, timeout=ASK_SECONDS) as answer:
                return b"synced" in answer.read()
        except (urllib.error.URLError, OSError):
            return False

    try:
        until(is_ready, READY_SECONDS, every=0.2)
    except TimeoutError:
        raise api.failure(f"The API is not ready within {READY_SECONDS} s") from None
