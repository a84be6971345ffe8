"""Each replica shows that it lives by a Lease; the leader removes those of the dead."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

from kubernetes.aio import client, config
from testkit.operator_accounts import log_in
from testkit.processes.operators import JsonObject, Starter, Sundial

from sundial_core.coordination.replica_record import ReplicaRecord, build_replica_lease
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until, until_async
from sundial_operator.permissions import list_needed
from sundial_operator.replica_lease import ReplicaLease


def _members(sundial: Sundial) -> list[JsonObject]:
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{sundial.ns}/leases"
    found = sundial.cluster.get_json(f"{leases}?labelSelector=sundial.dev/member%3Dtrue")
    items: list[JsonObject] = found["items"]
    return items


def _pids(sundial: Sundial) -> set[str]:
    return {_pid(item) for item in _members(sundial)}


def _pid(lease: JsonObject) -> str:
    return str(lease["metadata"]["annotations"]["sundial.dev/pid"])


def test_replicas_show_that_they_live_and_a_clean_stop_ends_it(start_operator: Starter) -> None:
    leader, standby = start_operator(SUNDIAL_MEMBER_SECONDS="12"), start_operator(wait_for="standing by")
    until(lambda: _pids(leader) == {str(leader.pid), str(standby.pid)})
    (lease,) = (m for m in _members(leader) if _pid(m) == str(leader.pid))
    assert lease["metadata"]["labels"]["sundial.dev/installation"] == f"{leader.ns}.sundial"
    assert lease["spec"]["holderIdentity"].startswith(os.uname().nodename)
    until(lambda: any(m["spec"]["renewTime"] > lease["spec"]["renewTime"] for m in _members(leader)))
    standby.end()
    assert _pids(leader) == {str(leader.pid)}


def test_the_leader_removes_the_lease_of_a_replica_that_was_killed(start_operator: Starter) -> None:
    leader = start_operator(SUNDIAL_MEMBER_SECONDS="4")
    standby = start_operator(wait_for="standing by", SUNDIAL_MEMBER_SECONDS="4")
    until(lambda: len(_members(leader)) == 2)
    standby.end(signal.SIGKILL)
    until(lambda: _pids(leader) == {str(leader.pid)})


def test_a_lease_that_was_deleted_comes_back(start_operator: Starter) -> None:
    leader = start_operator(SUNDIAL_MEMBER_SECONDS="4")
    (lease,) = until(lambda: _members(leader))
    leader.cluster.kubectl("delete", "-n", leader.ns, "lease", lease["metadata"]["name"])
    until(lambda: [m for m in _members(leader) if m["metadata"]["uid"] != lease["metadata"]["uid"]])


async def test_a_lease_whose_creation_was_not_answered_is_kept_by_what_the_role_grants(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    user = Sundial(cluster, namespace, tmp_path / "operator.log", {})
    kubeconfig = log_in(user, list_needed(namespace, "sundial", (namespace,)))
    configuration = client.Configuration()
    await config.load_kube_config(kubeconfig, client_configuration=configuration)
    started = datetime(2026, 1, 2, tzinfo=UTC)
    record = ReplicaRecord("me", "sundial", f"{namespace}.sundial", "host", 1, "0", started)
    made = build_replica_lease(record, 2, started)
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(made))
    giving_signs = asyncio.create_task(ReplicaLease(configuration, record, namespace, 2).run(lambda: None))
    await until_async(lambda: _members(user)[0]["spec"]["renewTime"] > made["spec"]["renewTime"], 30)
    giving_signs.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await giving_signs
    assert _members(user) == []
