"""An operator does what its role allows, no more; one that may no longer write statuses makes room."""

from __future__ import annotations

import json

from testkit.processes.operators import Starter, Sundial, build_scheduled_job

from sundial_devcluster.polling import until
from sundial_operator.permissions import list_needed


def _log_in(sundial: Sundial) -> str:
    """Make a service account with all permissions that are needed, statuses by a role of their own."""
    kubectl, ns = sundial.cluster.kubectl, sundial.ns
    kubectl("create", "serviceaccount", "operator", "-n", ns)
    for name in ("statuses", "all-else"):
        rules = [
            {
                "apiGroups": [one.resource.group],
                "resources": ["/".join(filter(None, (one.resource.plural, one.subresource)))],
                "verbs": [one.verb],
            }
            for one in list_needed(ns, ns)
            if (one.subresource == "status") == (name == "statuses")
        ]
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}}
        sundial.apply(role | {"rules": rules})
        kubectl("create", "rolebinding", name, "-n", ns, f"--role={name}", f"--serviceaccount={ns}:operator")
    config = json.loads(kubectl("config", "view", "--raw", "-o", "json"))
    config["users"][0]["user"] = {"token": kubectl("create", "token", "operator", "-n", ns).strip()}
    path = sundial.log.with_suffix(".kubeconfig")
    path.write_text(json.dumps(config))
    return str(path)


def test_a_leader_that_may_no_longer_write_statuses_makes_room_for_one_that_may(
    start_operator: Starter,
) -> None:
    leader = start_operator(SUNDIAL_FORBIDDEN_SECONDS="3")
    leader.end()
    leader.settings["KUBECONFIG"] = _log_in(leader)
    leader.start()
    standby = start_operator(wait_for="standing by")
    leader.apply(build_scheduled_job("tick", {"interval": {"seconds": 1}}))
    until(lambda: leader.jobs("tick") and leader.ready("tick"))
    leader.cluster.kubectl("delete", "rolebinding", "-n", leader.ns, "statuses")
    assert leader.wait(30) == 3
    standby.wait_for("leading", 20)
    leader.apply(build_scheduled_job("later", {"interval": {"seconds": 1}}))
    standby.until_ready("later", "Scheduled")
    leader.start(wait_for="not permitted, so not campaigning")
    assert f"patch scheduledjobs/status (sundial.dev) in namespace {leader.ns}" in leader.health("/readyz")[1]
    leader.end()
    leader.log.write_text("")
