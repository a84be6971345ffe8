"""A cluster whose etcd is restored from an older state: resourceVersions go back, and the rows with them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from testkit.mirror_comparison import Comparison, Rows
from testkit.processes.mirrors import MirrorProcess
from testkit.processes.operators import build_scheduled_job
from testkit.processes.restorable_clusters import copy_etcd, open_restorable

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Give a control plane that only this test uses, and may restore."""
    with open_restorable("restore") as own:
        yield own


def apply(cluster: Cluster, ns: str, name: str, **spec: object) -> None:
    manifest = build_scheduled_job(name, {"cron": "@yearly"}, **spec)
    cluster.kubectl("apply", "-n", ns, "-f", "-", input=json.dumps(manifest))


def test_a_restored_cluster_begins_an_epoch(
    cluster: Cluster, namespace: str, mirror: MirrorProcess, rows: Rows, comparison: Comparison
) -> None:
    data, backup = cluster.folder / "etcd", cluster.folder / "backup"
    apply(cluster, namespace, "kept", description="before")
    copy_etcd(cluster, data, backup)
    for number in range(20):
        apply(cluster, namespace, "kept", description=f"lost {number}")
    apply(cluster, namespace, "lost")
    comparison.until_equal()
    copy_etcd(cluster, backup, data)
    until(lambda: rows.read("SELECT epoch FROM scheduler_mirror_state") == [2])
    comparison.until_equal()
    live = "SELECT name, description FROM scheduled_jobs WHERE deleted_at IS NULL"
    assert rows.read(live) == [("kept", "before")]
