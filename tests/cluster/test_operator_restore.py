"""A cluster whose etcd is restored: operators that knew its future end, and new ones take it as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testkit.processes.operators import Starter, build_scheduled_job
from testkit.processes.restorable_clusters import copy_etcd, open_restorable

from sundial_devcluster.cluster import Cluster


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Give a control plane that only this test uses, and may restore."""
    with open_restorable("back") as own:
        yield own


def test_operators_that_knew_more_than_a_restored_cluster_end(
    cluster: Cluster, start_operator: Starter
) -> None:
    data, backup = cluster.folder / "etcd", cluster.folder / "backup"
    copy_etcd(cluster, data, backup)
    leader = start_operator()
    standby = start_operator(wait_for="standing by")
    for number in range(20):
        leader.apply(build_scheduled_job("lost", {"cron": "@yearly"}, description=f"{number}"))
    leader.until_ready("lost", "Scheduled")
    copy_etcd(cluster, backup, data)
    assert leader.wait(60) in (1, 3)  # 3: it could not renew its Lease in time
    assert standby.wait(60) == 1
    assert "the cluster was restored from an older state" in standby.log.read_text()
    for one in (leader, standby):
        one.log.write_text("")  # their end was an error, as it was meant to be
    leader.start()
    leader.apply(build_scheduled_job("new", {"cron": "@yearly"}))
    leader.until_ready("new", "Scheduled")
