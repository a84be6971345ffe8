"""An operator does what its role allows, no more; one that may no longer write statuses makes room."""

from __future__ import annotations

from testkit.operator_accounts import log_in
from testkit.processes.operators import Starter, build_scheduled_job

from sundial_devcluster.polling import until
from sundial_operator.permissions import list_needed


def test_a_leader_that_may_no_longer_write_statuses_makes_room_for_one_that_may(
    start_operator: Starter,
) -> None:
    leader = start_operator(SUNDIAL_FORBIDDEN_SECONDS="3")
    leader.end()
    leader.settings["KUBECONFIG"] = log_in(leader, list_needed(leader.ns, "sundial", (leader.ns,)))
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
