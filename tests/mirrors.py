"""The mirror as a child process, and how its rows differ from the cluster; for tests of the ring cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databases import copy_database
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from sundial_api.db.engine import read_url
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until
from sundial_devcluster.postgres import Postgres

JsonObject = dict[str, Any]
WORDS = {"Succeeded": "success", "TimedOut": "timeout"}
OPEN = ("pending", "running")


class MirrorProcess:
    """A mirror of one namespace of a cluster into one database."""

    def __init__(self, cluster: Cluster, ns: str, url: str, log: Path) -> None:
        self.log = log
        self._environment = os.environ | {
            "KUBECONFIG": str(cluster.kubeconfig),
            "SUNDIAL_API_DATABASE_URL": url,
            "SUNDIAL_NAMESPACE": ns,
            "SUNDIAL_WATCH_NAMESPACE": ns,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; it is not waited for."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-X", "dev", "-m", "sundial_api.mirror"]
            self._process = subprocess.Popen(command, env=self._environment, stderr=log, stdout=log)

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


class Rows:
    """The database that a mirror writes, as a reader sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine: Engine = create_engine(read_url(url), poolclass=NullPool)

    def read(self, query: str, **values: Any) -> list[Any]:
        """Read rows; a single column as plain values."""
        with self._engine.connect() as connection:
            rows = connection.execute(text(query), values).all()
        return [tuple(row) if len(row) > 1 else row[0] for row in rows]

    def change(self, statement: str, **values: Any) -> None:
        """Write beside the mirror."""
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def is_answering(self) -> bool:
        """Tell whether the database can be read."""
        try:
            return self.read("SELECT 1") == [1]
        except OperationalError:
            return False


class Comparison:
    """What is in the cluster's namespace, held against the rows."""

    def __init__(self, cluster: Cluster, ns: str, rows: Rows) -> None:
        self._cluster = cluster
        self._ns = ns
        self._rows = rows

    def find_differences(self) -> list[str]:
        """Find what of the cluster is not in the rows as it is there, and what of the rows is not so."""
        return [
            *self._compare_schedules(),
            *self._compare_jobs(),
            *self._compare_told(),
            *self._compare_counts(),
        ]

    def until_equal(self, timeout: float = 30) -> None:
        """Wait until there is no difference; raises AssertionError with those that are left."""
        try:
            until(lambda: not self.find_differences(), timeout)
        except TimeoutError:
            raise AssertionError(self.find_differences()) from None

    def list(self, group: str, plural: str) -> list[JsonObject]:
        """List the objects of a kind in the namespace."""
        items: list[JsonObject] = self._cluster.get_json(f"{group}/namespaces/{self._ns}/{plural}")["items"]
        return items

    def list_schedules(self) -> list[JsonObject]:
        """List the ScheduledJobs."""
        return self.list("/apis/sundial.dev/v1alpha1", "scheduledjobs")

    def _compare_schedules(self) -> Iterator[str]:
        columns = "CAST(id AS text), resource_version, active_count, suspended"
        rows = {row[0]: row[1:] for row in self._rows.read(f"SELECT {columns} FROM scheduled_jobs {_LIVE}")}
        seen = {item["metadata"]["uid"]: _describe_schedule(item) for item in self.list_schedules()}
        yield from _differ("ScheduledJob", seen, rows)

    def _compare_jobs(self) -> Iterator[str]:
        """Compare attempts: each Job and its Pod, with their versions, results, nodes and exit codes."""
        rows = {}
        for run_id, attempts in self._rows.read(
            "SELECT CAST(id AS text), attempts FROM scheduled_job_executions"
        ):
            for entry in attempts:
                rows[run_id, entry["attempt"]] = entry
        pods = {
            _owner(pod): pod for pod in self.list("/api/v1", "pods") if "ownerReferences" in pod["metadata"]
        }
        for job in self.list("/apis/batch/v1", "jobs"):
            labels, annotations = job["metadata"]["labels"], job["metadata"]["annotations"]
            key = (labels["sundial.dev/run"], int(annotations["sundial.dev/attempt"]))
            shown, expected = (
                _describe_attempt(rows.get(key)),
                _describe_job(job, pods.get(job["metadata"]["uid"])),
            )
            if shown != expected:
                yield f"attempt {key}: {shown} instead of {expected}"

    def _compare_told(self) -> Iterator[str]:
        """Compare what the statuses tell of runs and slots, and that every slot is accounted for."""
        states = "SELECT CAST(id AS text), status, completed_at IS NULL FROM scheduled_job_executions"
        runs = {row[0]: row[1:] for row in self._rows.read(states)}
        for item in self.list_schedules():
            status, uid = item.get("status") or {}, item["metadata"]["uid"]
            active = {entry["runId"] for entry in status.get("active") or ()}
            for entry in status.get("recentSlots") or ():
                if "runId" in entry and (said := _judge(entry, active, runs.get(entry["runId"]))):
                    yield f"run {entry['runId']}: {said}"
            decided, counted = _count_decided(status), self._count_slots(uid)
            if decided != counted:
                yield f"{item['metadata']['name']}: {counted} slots instead of {decided}"

    def _count_slots(self, uid: str) -> int:
        query = (
            "SELECT (SELECT count(*) FROM scheduled_job_executions WHERE job_id = :id"
            " AND triggered_by = 'scheduler' AND status <> 'x')"
            " + (SELECT coalesce(sum(count), 0) FROM scheduler_slots WHERE job_id = :id)"
        )
        return int(self._rows.read(query, id=uid)[0])

    def _compare_counts(self) -> Iterator[str]:
        counted = "SELECT CAST(job_id AS text), status, count FROM scheduler_execution_counts WHERE count > 0"
        real = "SELECT CAST(job_id AS text), status, count(*) FROM scheduled_job_executions GROUP BY 1, 2"
        shown, expected = (Counter(map(tuple, self._rows.read(query))) for query in (counted, real))
        yield from (f"count {row}" for row in (shown - expected) + (expected - shown))


_LIVE = "WHERE deleted_at IS NULL"


def _describe_schedule(item: JsonObject) -> tuple[Any, ...]:
    status = item.get("status") or {}
    version = int(item["metadata"]["resourceVersion"])
    return version, status.get("activeCount", 0), item["spec"].get("suspend", False)


def _differ(kind: str, expected: dict[str, Any], shown: dict[str, Any]) -> Iterator[str]:
    for key in {*expected, *shown}:
        if expected.get(key) != shown.get(key):
            yield f"{kind} {key}: {shown.get(key)} instead of {expected.get(key)}"


def _owner(item: JsonObject) -> str:
    return str(item["metadata"]["ownerReferences"][0]["uid"])


def _describe_job(job: JsonObject, pod: JsonObject | None) -> tuple[Any, ...]:
    uid, version = job["metadata"]["uid"], int(job["metadata"]["resourceVersion"])
    if pod is None:
        return uid, version, None
    containers = pod.get("status", {}).get("containerStatuses") or [{}]
    ended = containers[0].get("state", {}).get("terminated", {})
    where = (pod["metadata"]["name"], int(pod["metadata"]["resourceVersion"]), pod["spec"].get("nodeName"))
    return uid, version, (*where, ended.get("exitCode"))


def _describe_attempt(entry: JsonObject | None) -> tuple[Any, ...] | None:
    if entry is None or entry["job"] is None:
        return None
    job, pod = entry["job"], entry["pod"]
    shown = pod and (pod["name"], pod["version"][1], pod["node"], pod["exit_code"])
    return job["uid"], job["version"][1], shown


def _judge(entry: JsonObject, active: set[str], shown: tuple[str, bool] | None) -> str:
    """Say what is wrong with how a run is shown; empty when nothing is."""
    if shown is None:
        return "no row"
    result = entry.get("result")
    if result is None:
        return "" if shown[0] in OPEN or entry["runId"] not in active else f"{shown[0]} while active"
    expected = WORDS.get(result, "failed")
    return "" if shown == (expected, False) else f"{shown} instead of {expected}"


def _count_decided(status: JsonObject) -> int:
    verdicts = (status.get("counters") or {}).get("verdicts") or {}
    others = (sum((verdicts.get(name) or {}).values()) for name in ("skipped", "missed"))
    return int(verdicts.get("started", 0)) + sum(others)


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
