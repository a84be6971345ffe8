"""An installation that looks after some namespaces has rights there, acts there, and mirrors those alone."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest
from testkit.mirror_comparison import Rows
from testkit.operator_accounts import log_in
from testkit.processes.mirrors import MirrorProcess
from testkit.processes.operators import JsonObject, Starter, build_scheduled_job

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until
from sundial_operator.permissions import list_needed

EVERY_SECOND = {"interval": {"seconds": 1}}


@pytest.fixture
def others(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Give two more namespaces."""
    made = tuple(f"test-{secrets.token_hex(4)}" for _ in range(2))
    for ns in made:
        cluster.kubectl("create", "namespace", ns)
    yield made[0], made[1]
    for ns in made:
        cluster.kubectl("delete", "namespace", ns, "--wait=false")


def apply(cluster: Cluster, ns: str, manifest: JsonObject) -> None:
    cluster.kubectl("apply", "-n", ns, "-f", "-", input=json.dumps(manifest))


def list_jobs(cluster: Cluster, ns: str) -> list[JsonObject]:
    found: list[JsonObject] = cluster.get_json(f"/apis/batch/v1/namespaces/{ns}/jobs")["items"]
    return found


def test_schedules_run_in_each_namespace_that_is_watched_and_in_no_other(
    cluster: Cluster, namespace: str, others: tuple[str, str], start_operator: Starter
) -> None:
    watched, unwatched = others
    operator = start_operator()
    operator.end()
    both = (namespace, watched)
    operator.settings["KUBECONFIG"] = log_in(operator, list_needed(namespace, "sundial", both))
    operator.settings["SUNDIAL_WATCH_NAMESPACES"] = ",".join(both)
    for ns in (*both, unwatched):
        apply(cluster, ns, build_scheduled_job("tick", EVERY_SECOND))
    operator.start()
    for ns in both:
        until(lambda ns=ns: len(list_jobs(cluster, ns)) > 1)
    cluster.kubectl("delete", "sj", "tick", "-n", watched)
    apply(cluster, watched, build_scheduled_job("later", EVERY_SECOND))
    until(lambda: any(one["metadata"]["name"].startswith("later") for one in list_jobs(cluster, watched)))
    assert list_jobs(cluster, unwatched) == []


def test_what_is_mirrored_is_what_is_watched(
    cluster: Cluster, namespace: str, others: tuple[str, str], mirror: MirrorProcess, rows: Rows
) -> None:
    def list_live() -> list[str]:
        said = "SELECT namespace FROM scheduled_jobs WHERE deleted_at IS NULL ORDER BY namespace"
        return [str(ns) for ns in rows.read(said)]

    def begin_anew(*watched: str) -> None:
        mirror.end()
        mirror.watch(*watched)
        mirror.start()

    for ns in (namespace, *others):
        apply(cluster, ns, build_scheduled_job("tick", EVERY_SECOND, suspend=True))
    until(lambda: list_live() == [namespace])
    begin_anew(namespace, *others)
    until(lambda: list_live() == sorted([namespace, *others]))
    cluster.kubectl("delete", "sj", "tick", "-n", others[0])
    until(lambda: list_live() == sorted([namespace, others[1]]))
    begin_anew(namespace, others[0])
    until(lambda: list_live() == [namespace])
