"""Who is a member of an installation, and who has given no sign of life for too long."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.api_server import merge
from testkit.scheduled_jobs import at

from sundial_core.coordination.replica_record import (
    LeaderStanding,
    ReplicaRecord,
    build_renewal,
    build_replica_lease,
    list_stale,
    observe_replicas,
)

MEMBER = ReplicaRecord("1-2-3", "sundial", "team.sundial", "node-a", 42, "0.1.0", at(0))


def lease(uid: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": f"lease-{uid}", "uid": uid, "resourceVersion": str(version)}}


def test_a_member_says_who_it_is() -> None:
    item = build_replica_lease(MEMBER, 120, at(10))
    assert item["metadata"]["name"] == "sundial-member-1-2-3"
    assert item["metadata"]["labels"] == {
        "sundial.dev/installation": "team.sundial",
        "sundial.dev/member": "true",
        "app.kubernetes.io/managed-by": "sundial",
    }
    assert item["metadata"]["annotations"] == {
        "sundial.dev/instance": "1-2-3",
        "sundial.dev/hostname": "node-a",
        "sundial.dev/pid": "42",
        "sundial.dev/version": "0.1.0",
        "sundial.dev/started-at": "2026-01-01T00:00:00Z",
    }


def test_a_sign_of_life_moves_only_the_time() -> None:
    item = build_replica_lease(MEMBER, 120, at(10))
    later = build_replica_lease(MEMBER, 120, at(20))
    renewal = build_renewal(at(20), None)
    assert item["spec"] | renewal["spec"] == later["spec"]
    assert merge(item["metadata"], renewal["metadata"]) == later["metadata"]


def test_a_leader_says_how_the_installation_stands_and_takes_it_back() -> None:
    item = build_replica_lease(MEMBER, 120, at(10))
    standing = LeaderStanding(7, "ok", "SUNDIAL_HOLD", "it is started without")
    held = merge(item, build_renewal(at(20), standing))
    marks = {
        "sundial.dev/term": "7",
        "sundial.dev/fence": "ok",
        "sundial.dev/starts-held-by": "SUNDIAL_HOLD",
        "sundial.dev/starts-held-until": "it is started without",
    }
    assert held["metadata"]["annotations"] == item["metadata"]["annotations"] | marks
    free = merge(held, build_renewal(at(30), LeaderStanding(7, "absent")))
    said = {"sundial.dev/term": "7", "sundial.dev/fence": "absent"}
    assert free["metadata"]["annotations"] == item["metadata"]["annotations"] | said
    assert merge(free, build_renewal(at(40), None))["metadata"] == item["metadata"]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        pytest.param([1, 1, 1], ["a"], id="the same all the time"),
        pytest.param([1, 2, 2], [], id="changed since"),
        pytest.param([1, 2, 3], [], id="alive"),
        pytest.param([None, 3, 3], [], id="seen for too short"),
        pytest.param([1, None, 1], [], id="gone and back"),
        pytest.param([1, 1, None], [], id="gone"),
    ],
)
def test_who_is_stale_after_two_minutes(versions: list[int | None], expected: list[str]) -> None:
    seen: dict[str, Any] = {}
    for minute, version in enumerate(versions):
        items = [lease("a", version)] if version else []
        seen = observe_replicas(seen, items, 60.0 * minute)
    assert [one.uid for one in list_stale(seen, 120, 120)] == expected
