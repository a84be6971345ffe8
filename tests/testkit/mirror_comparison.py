"""The rows of a mirror beside what the cluster has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from sundial_api.db.engine import parse_url
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until

PATIENCE_SECONDS = 180
"""It takes seconds, and more on a busy machine: a mirror that was killed loads Python first."""


class Rows:
    """The database that a mirror writes, as a reader sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine: Engine = create_engine(parse_url(url), poolclass=NullPool)

    def read(self, query: str, **values: Any) -> list[Any]:
        """Read rows; a single column as plain values."""
        with self._engine.connect() as connection:
            rows = connection.execute(text(query), values).all()
        return [tuple(row) if len(row) > 1 else row[0] for row in rows]

    def change(self, statement: str, **values: Any) -> None:
        """Write beside the mirror."""
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)


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

    def until_equal(self) -> None:
        """Wait until there is no difference; raises AssertionError with those that are left."""
        try:
            until(lambda: not self.find_differences(), PATIENCE_SECONDS)
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
        key = "CAST(job_id AS text), status, namespace"
        counted = f"SELECT {key}, count FROM scheduler_execution_counts WHERE count <> 0"
        real = f"SELECT {key}, count(*) FROM scheduled_job_executions GROUP BY 1, 2, 3"
        shown, expected = (Counter(map(tuple, self._rows.read(query))) for query in (counted, real))
        yield from (f"count {row}" for row in (shown - expected) + (expected - shown))


JsonObject = dict[str, Any]


WORDS = {"Succeeded": "success", "TimedOut": "timeout"}


OPEN = ("pending", "running")


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
