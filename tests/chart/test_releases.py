"""A release on a real node: installed, used, upgraded, rolled back, killed, removed and installed again.

What was started is read from the API server's own log: no slot is lost, and none is started twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from testkit.chart_sites import ARBITRARY_UID, TEAM, Site, build_schedule, open_site
from testkit.helm_charts import NS, RELEASE
from testkit.node_containers import kill_container

from sundial_devcluster.cluster import find_obstacle
from sundial_devcluster.polling import until

PERIOD = timedelta(seconds=2)
AFTERWARDS = 4
"""So many slots are started after what is done, before they are counted."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give a cluster with a release, and a schedule that runs every two seconds."""
    if obstacle := find_obstacle():
        pytest.skip(f"real Pods are not to be had: {obstacle}")
    with open_site() as found:
        for ns in (NS, TEAM):
            found.make_namespace(ns)
        found.make_database("sundial", NS)
        found.deploy("install")
        found.apply(build_schedule("tick", concurrency={"policy": "Allow"}), TEAM)
        until(lambda: len(found.list_starts()) > 1, 60)
        yield found


def read_schedule(site: Site, name: str, ns: str = TEAM) -> dict[str, Any]:
    found: dict[str, Any] = site.cluster.get_json(
        f"/apis/sundial.dev/v1alpha1/namespaces/{ns}/scheduledjobs/{name}"
    )
    return found


def check_slots(site: Site, since: datetime) -> None:
    """Check that each slot has been started once, none is missing, and none was missed."""
    seen = len(site.list_starts())
    until(lambda: len(site.list_starts()) >= seen + AFTERWARDS, 60)
    slots = [one.slot for one in site.list_starts() if one.slot and one.slot > since]
    assert max(Counter(slots).values()) == 1  # each is there once
    gaps = [(one, after) for one, after in pairwise(slots) if after - one != PERIOD]
    assert gaps == []
    verdicts = read_schedule(site, "tick")["status"]["counters"]["verdicts"]
    assert verdicts.get("missed", {}) == {}


def test_a_first_schedule_succeeds_and_the_api_tells_of_it(site: Site) -> None:
    entries = until(
        lambda: [
            one
            for one in read_schedule(site, "tick")["status"].get("recentSlots", ())
            if one.get("result") == "Succeeded"
        ],
        60,
    )
    kubectl = site.cluster.kubectl
    kubectl("create", "serviceaccount", "reader", "-n", TEAM)
    kubectl(
        "create", "rolebinding", "reader", "-n", TEAM, "--clusterrole=view", f"--serviceaccount={TEAM}:reader"
    )
    token = kubectl("create", "token", "reader", "-n", TEAM).strip()
    pod = site.list_pods("api")[0]["metadata"]["name"]

    def find() -> bool:
        asked = f"import urllib.request as u;r=u.Request('http://127.0.0.1:8000/api/v1/scheduler/executions/{entries[0]['runId']}');"
        asked += f"r.add_header('Authorization','Bearer {token}');print(u.urlopen(r).read().decode())"
        said = kubectl("exec", "-n", NS, pod, "-c", "api", "--", "python3", "-c", asked)
        return json.loads(said)["status"] == "success"

    assert until(find, 60)


def test_pods_have_a_user_without_a_name_and_a_root_that_is_read_only(site: Site) -> None:
    for component in ("operator", "api"):
        for pod in site.list_pods(component):
            said = site.cluster.kubectl(
                "exec",
                "-n",
                NS,
                pod["metadata"]["name"],
                "--",
                "python3",
                "-c",
                "import os;print(os.getuid())",
            )
            assert int(said) == ARBITRARY_UID
            assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_policies_type_check_and_are_known_to_work(site: Site) -> None:
    policies = site.list("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies")
    assert len(policies) == 6
    assert [one["metadata"]["name"] for one in policies if one["status"].get("typeChecking")] == []
    logs = site.cluster.kubectl(
        "logs", "-n", NS, "-l", "app.kubernetes.io/component=api", "--tail=-1", "-c", "api"
    )
    assert '"authorship": "known"' in logs
    leader = site.cluster.kubectl("logs", "-n", NS, site.find_leader())
    assert '"state": "ok"' in leader
    assert "not permitted" not in leader + logs


def test_helms_own_test_finds_one_leader_and_the_api(site: Site) -> None:
    assert "Phase:          Succeeded" in site.helm("test", RELEASE, "--namespace", NS, "--timeout=120s")


def upgrade(site: Site) -> None:
    site.deploy(
        "upgrade", {"operator": {"podLabels": {"round": "two"}}, "api": {"podLabels": {"round": "two"}}}
    )


def roll_back_over_a_migration(site: Site) -> None:
    """The release that is gone back to knows nothing of the newest migration, and starts all the same."""
    with psycopg.connect(site.postgres.url("sundial"), autocommit=True) as connection:
        before = connection.execute("SELECT version_num FROM scheduler_alembic_version").fetchone()
        connection.execute("UPDATE scheduler_alembic_version SET version_num = '9999'")
        site.helm("rollback", RELEASE, "--namespace", NS, "--wait", "--timeout=150s")
        assert before is not None
        connection.execute("UPDATE scheduler_alembic_version SET version_num = %s", before)


def delete_the_leader(site: Site) -> None:
    site.cluster.kubectl("delete", "pod", "-n", NS, site.find_leader())


def kill_the_leader(site: Site) -> None:
    leader = site.find_leader()
    kill_container(next(one for one in site.list_pods("operator") if one["metadata"]["name"] == leader))


@pytest.mark.parametrize("do", [upgrade, roll_back_over_a_migration, delete_the_leader, kill_the_leader])
def test_no_slot_is_lost_or_doubled(site: Site, do: Callable[[Site], None]) -> None:
    since, before = datetime.now(UTC), site.find_leader()
    do(site)
    until(lambda: site.find_leader() != before or do is kill_the_leader, 60)
    check_slots(site, since)


def test_what_is_installed_again_goes_on(site: Site) -> None:
    """Schedules and what runs stay when a release goes; what passed meanwhile is caught up on, or missed."""
    site.helm("uninstall", RELEASE, "--namespace", NS, "--wait")
    until(lambda: not site.list_pods("operator"), 60)
    assert read_schedule(site, "tick")["spec"]["schedule"]["interval"] == {"seconds": 2}
    seen = len(site.list_starts())
    site.deploy("install")
    until(lambda: len(site.list_starts()) >= seen + AFTERWARDS, 90)
    slots = [one.slot for one in site.list_starts()]
    assert max(Counter(slots).values()) == 1
