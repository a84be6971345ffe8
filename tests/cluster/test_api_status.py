"""What the leader alone knows is told by the API: on a real cluster, from the operator to GET /status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testkit.processes.apis import PREFIX
from testkit.processes.mortal_apis import MortalApi
from testkit.processes.operators import Starter, Sundial

from sundial_clock.instants import parse_instant
from sundial_core.coordination.fence import build_fence
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until

OFTEN = {"SUNDIAL_MEMBER_SECONDS": "12"}
"""A sign of life every second."""


@pytest.fixture
def api(cluster: Cluster, namespace: str, fresh_database: str, tmp_path: Path) -> Iterator[MortalApi]:
    running = MortalApi(cluster.kubeconfig, namespace, fresh_database, tmp_path / "api.log")
    running.start()
    yield running
    running.close()


def read(api: MortalApi) -> Any:
    return api.http.get(f"{PREFIX}/status").json()


def hold(sundial: Sundial, value: str) -> None:
    metadata = {"name": "sundial"}
    sundial.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"hold": value}})


def test_hold_is_told_with_what_ends_it(api: MortalApi, start_operator: Starter, namespace: str) -> None:
    assert (read(api)["hold"], read(api)["fence"]) == (None, None)
    sundial = start_operator(**OFTEN)
    until(lambda: read(api)["hold"])
    assert read(api)["hold"] == {"isHeld": False, "heldBy": None, "heldUntil": None}
    hold(sundial, "true")
    until(lambda: read(api)["hold"]["isHeld"])
    place = f"the ConfigMap {namespace}/sundial"
    assert read(api)["hold"] == {"isHeld": True, "heldBy": place, "heldUntil": f"{place} has no hold"}
    hold(sundial, "false")
    until(lambda: not read(api)["hold"]["isHeld"])


def test_fence_and_term_are_told_and_a_new_leader_tells_its_own(
    api: MortalApi, start_operator: Starter, cluster: Cluster, namespace: str
) -> None:
    items = build_fence(f"{namespace}.sundial", namespace, "sundial")
    fence = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    first = start_operator(**OFTEN)
    until(lambda: (read(api)["fence"] or {}).get("state") == "absent")
    assert read(api)["fence"]["isInstalled"] is False
    cluster.kubectl("apply", "-f", "-", input=fence)
    try:
        until(lambda: read(api)["fence"]["state"] == "ok")
        path = f"/apis/sundial.dev/v1alpha1/namespaces/{namespace}/leaderterms/sundial"
        term = cluster.get_json(path)["spec"]["term"]
        assert read(api)["fence"] == {"state": "ok", "isInstalled": True, "term": term}
        first.end()
        until(lambda: read(api)["fence"] is None)
        start_operator(**OFTEN, SUNDIAL_HOLD="true")
        until(lambda: (read(api)["fence"] or {}).get("state") == "ok")
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", input=fence)
    assert read(api)["fence"]["term"] > term
    assert read(api)["hold"]["heldBy"] == "SUNDIAL_HOLD"


def test_every_answer_says_up_to_when_all_is_mirrored(api: MortalApi) -> None:
    until(lambda: read(api)["mirroredUntil"])
    answer = api.http.get(f"{PREFIX}/jobs")
    assert parse_instant(answer.headers["X-Mirrored-At"]) >= parse_instant(read(api)["mirroredUntil"])
