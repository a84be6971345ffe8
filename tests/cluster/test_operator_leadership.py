"""One operator leads; when it stops, freezes or is robbed, another one takes over and nothing runs twice."""

from __future__ import annotations

import json
import signal
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from testkit.processes.operators import (
    Starter,
    Sundial,
    build_scheduled_job,
    slot_of,
)

from sundial_devcluster.polling import until

LEASE_SECONDS = 4


@pytest.fixture
def pair(start_operator: Starter) -> tuple[Sundial, Sundial]:
    """Give a leader with a job every second, and a standby."""
    leader, standby = start_operator(), start_operator(wait_for="standing by")
    leader.apply(
        build_scheduled_job(
            "tick",
            {"interval": {"seconds": 1}},
            concurrency={"policy": "Allow"},
            history={"successful": 100, "failed": 100},
        )
    )
    until(lambda: leader.jobs("tick"))
    return leader, standby


def _read(sundial: Sundial, path: str) -> dict[str, Any]:
    spec: dict[str, Any] = sundial.cluster.get_json(path)["spec"]
    return spec


def _lease(sundial: Sundial) -> dict[str, Any]:
    return _read(sundial, f"/apis/coordination.k8s.io/v1/namespaces/{sundial.ns}/leases/sundial")


def _term(sundial: Sundial) -> dict[str, Any]:
    return _read(sundial, f"/apis/sundial.dev/v1alpha1/namespaces/{sundial.ns}/leaderterms/sundial")


def _assert_each_slot_ran_once(sundial: Sundial) -> None:
    until(lambda: len(sundial.jobs("tick")) >= 8)
    sundial.patch("tick", {"suspend": True})
    until(lambda: sundial.status("tick").get("activeCount") == 0)
    slots = Counter(slot_of(job) for job in sundial.jobs("tick"))
    assert set(slots.values()) == {1}
    instants = [datetime.fromisoformat(slot) for slot in slots]
    assert instants == [instants[0] + timedelta(seconds=n) for n in range(len(instants))]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_standby_takes_over(pair: tuple[Sundial, Sundial], how: signal.Signals) -> None:
    leader, standby = pair
    before = _term(leader)
    leader.end(how)
    standby.wait_for("leading", LEASE_SECONDS + 5)
    assert _term(standby)["term"] > before["term"]
    _assert_each_slot_ran_once(standby)


def test_a_frozen_leader_ends_when_it_wakes(pair: tuple[Sundial, Sundial]) -> None:
    leader, standby = pair
    leader.signal(signal.SIGSTOP)
    standby.wait_for("leading", LEASE_SECONDS + 5)
    leader.signal(signal.SIGCONT)
    assert leader.wait(10) == 3
    _assert_each_slot_ran_once(standby)


def test_a_robbed_leader_ends(pair: tuple[Sundial, Sundial]) -> None:
    leader, standby = pair
    patch = {"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 2}}
    leader.cluster.kubectl(
        "patch", "-n", leader.ns, "lease", "sundial", "--type=merge", "-p", json.dumps(patch)
    )
    assert leader.wait(10) == 3
    standby.wait_for("leading", 20)
    _assert_each_slot_ran_once(standby)


def test_a_leader_whose_lease_is_deleted_ends_and_the_term_rises(pair: tuple[Sundial, Sundial]) -> None:
    leader, standby = pair
    before = _term(leader)["term"]
    leader.cluster.kubectl("delete", "-n", leader.ns, "lease", "sundial")
    assert leader.wait(10) == 3
    standby.wait_for("leading", 20)
    assert _term(standby)["term"] > before
    _assert_each_slot_ran_once(standby)


def test_a_leader_without_its_term_ends(pair: tuple[Sundial, Sundial]) -> None:
    leader, standby = pair
    leader.cluster.kubectl("delete", "-n", leader.ns, "leaderterm", "sundial")
    assert leader.wait(10) == 3
    standby.wait_for("leading", LEASE_SECONDS + 10)
    _assert_each_slot_ran_once(standby)


def test_a_clean_stop_releases_the_lease(pair: tuple[Sundial, Sundial]) -> None:
    leader, standby = pair
    standby.end()
    leader.end()
    assert _lease(leader)["holderIdentity"] == ""
