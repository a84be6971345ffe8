"""What a watch has lost is found by a list of metadata, and fetched."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from kubernetes.aio import client, config
from testkit.processes.operators import Sundial, build_scheduled_job

from sundial_core.resources.objects import ScheduledJob, parse_scheduled_job
from sundial_devcluster.cluster import Cluster
from sundial_kube.client import KubeClient
from sundial_kube.relist import Relist
from sundial_kube.resources import SCHEDULED_JOBS
from sundial_kube.store import Store
from sundial_operator.inputs.relists import Relists
from sundial_operator.metrics import Metrics

Stores = tuple[Relist, Store[ScheduledJob], Sundial]


@pytest.fixture
async def stale(cluster: Cluster, namespace: str) -> AsyncIterator[Stores]:
    """Give a store that nobody watches for, with the jobs `changed`, `same` and `gone` in it."""
    configuration = client.Configuration()
    await config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    user = Sundial(cluster, namespace, cluster.kubeconfig, {})
    store: Store[ScheduledJob] = Store(parse_scheduled_job, lambda *_: None, lambda *_: None)
    async with KubeClient(configuration) as api:
        relist = Relist(api, SCHEDULED_JOBS, store, namespace)
        for name in ("changed", "same", "gone"):
            user.apply(build_scheduled_job(name, {"cron": "0 0 1 1 *"}))
        assert await relist.repair(0) == 3
        yield relist, store, user


def _describe(store: Store[ScheduledJob]) -> dict[str, bool]:
    return {job.name: bool(job.spec.get("suspend")) for job in store}


async def test_what_is_equal_is_not_fetched(stale: Stores) -> None:
    relist, store, _ = stale
    before = {job.uid: job for job in store}
    assert await relist.repair(0) == 0
    assert all(store.get(uid) is job for uid, job in before.items())


async def test_what_differs_is_fetched_and_what_is_gone_is_dropped(stale: Stores) -> None:
    relist, store, user = stale
    user.patch("changed", {"suspend": True})
    user.cluster.kubectl("delete", "sj", "-n", user.ns, "gone")
    user.apply(build_scheduled_job("new", {"cron": "0 0 1 1 *"}))
    assert await relist.repair(0) == 3
    assert _describe(store) == {"changed": True, "same": False, "new": False}
    assert await relist.repair(0) == 0


async def test_the_last_one_that_is_gone_is_dropped_too(stale: Stores) -> None:
    relist, store, user = stale
    user.cluster.kubectl("delete", "sj", "-n", user.ns, "--all")
    assert await relist.repair(0) == 3
    assert _describe(store) == {}


async def test_a_watch_that_loses_again_and_again_is_told_as_dead(stale: Stores) -> None:
    relist, _, user = stale
    relists = Relists([relist], Metrics())
    seen = []
    for n in (None, 1, 2, None):
        if n:
            user.patch("same", {"description": str(n)})
        await relists.compare(relist, 0)
        seen.append(relists.check().ok)
    assert seen == [True, True, False, True]
