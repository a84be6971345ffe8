"""What docs/installation.md says to do, on a real node: in some namespaces only, beside another release."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
import yaml
from testkit.chart_sites import TEAM, Site, build_schedule, open_site
from testkit.helm_charts import CHART, NS, RELEASE, HelmError, merge

from sundial_devcluster.cluster import find_obstacle
from sundial_devcluster.errors import KubectlError
from sundial_devcluster.kubectl import kubectl_program
from sundial_devcluster.polling import until
from sundial_devcluster.product_image import Runtime, ensure_product_image

SECOND, OTHER_TEAM = "sundial-two", "other"
NO_SHELL = "localhost/sundial:no-shell"
RESTORER = "system:serviceaccount:velero:velero"
VALUES = {
    "scope": {"namespaces": [TEAM]},
    "policies": {"restorers": [RESTORER]},
    "operator": {"extraEnv": [{"name": "EMPTY", "value": ""}]},
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give a cluster with a release for one namespace, and a schedule there."""
    if obstacle := find_obstacle():
        pytest.skip(f"real Pods are not to be had: {obstacle}")
    with open_site() as found:
        for ns in (NS, TEAM, SECOND, OTHER_TEAM):
            found.make_namespace(ns)
        found.make_database("sundial", NS)
        found.deploy("install", VALUES)
        found.apply(build_schedule("tick"), TEAM)
        until(lambda: len(found.list_starts()) > 1, 60)
        yield found


def test_what_is_stored_is_what_was_rendered(site: Site) -> None:
    """A GitOps tool finds nothing to do, an empty variable included."""
    manifest = site.helm("get", "manifest", RELEASE, "--namespace", NS)
    assert "name: EMPTY" in manifest
    command = [kubectl_program(), f"--kubeconfig={site.cluster.kubeconfig}", "diff", "--server-side"]
    done = subprocess.run(
        [*command, "--field-manager=argocd-controller", "-f", "-"],
        input=manifest,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def find_creators(site: Site, ns: str) -> set[str]:
    """Find who has created Jobs in a namespace, from what the API server logged."""
    with (site.cluster.folder / "logs" / "audit.log").open() as log:
        events = [json.loads(line) for line in log if '"resource":"jobs"' in line]
    return {
        event["user"]["username"]
        for event in events
        if event["verb"] == "create"
        and event["objectRef"]["namespace"] == ns
        and event["responseStatus"]["code"] == 201
    }


def test_two_releases_each_look_after_their_own(site: Site) -> None:
    """The second has the image without a shell."""
    site.make_database("second", SECOND)
    image = ensure_product_image(Runtime.NO_SHELL, NO_SHELL)
    site.cluster.load_image(image.archive)
    repository, _, tag = image.name.rpartition(":")
    values = {
        "image": {"repository": repository, "tag": tag},
        "crds": {"enabled": False},
        "scope": {"namespaces": [OTHER_TEAM]},
    }
    site.deploy("install", values, ns=SECOND)
    site.apply(build_schedule("tick"), OTHER_TEAM)
    before = len(site.list_starts())
    until(lambda: len(site.list_starts(OTHER_TEAM)) > 2 and len(site.list_starts()) > before + 2, 60)
    for ns, team in ((NS, TEAM), (SECOND, OTHER_TEAM)):
        leader = site.find_leader(ns)
        assert until(lambda ns=ns, one=leader: '"state": "ok"' in site.cluster.kubectl("logs", "-n", ns, one))
        (account,) = find_creators(site, team)
        assert account.startswith(f"system:serviceaccount:{ns}:")
    for ns, database, team in ((NS, "sundial", TEAM), (SECOND, "second", OTHER_TEAM)):
        with closing(psycopg.connect(site.postgres.url(database))) as connection:
            rows = connection.execute("SELECT DISTINCT namespace FROM scheduled_jobs").fetchall()
        assert (ns, rows) == (ns, [(team,)])
    site.helm("uninstall", RELEASE, "--namespace", SECOND, "--wait")
    assert site.cluster.kubectl("get", "scheduledjobs", "-n", OTHER_TEAM, "-o", "name")


def test_who_scaled_by_hand_is_told_so_at_the_next_upgrade(site: Site) -> None:
    site.cluster.kubectl("scale", "-n", NS, "deployment/sundial-operator", "--replicas=3")
    with pytest.raises(HelmError, match=r"conflict with .*spec\.replicas"):
        site.deploy("upgrade", merge(VALUES, {"operator": {"podLabels": {"round": "scaled"}}}))
    site.deploy("upgrade", merge(VALUES, {"operator": {"replicas": None}}))
    assert len(site.list_pods("operator")) == 3
    site.helm(
        "upgrade",
        RELEASE,
        CHART,
        f"--namespace={NS}",
        "--reset-then-reuse-values",
        "--set=operator.replicas=2",
        "--force-conflicts",
        "--wait",
        "--timeout=150s",
    )
    until(lambda: len(site.list_pods("operator")) == 2, 60)


def count_rows(site: Site) -> tuple[int, int]:
    """Count jobs and executions in the database."""
    with closing(psycopg.connect(site.postgres.url("sundial"))) as connection:
        found = connection.execute(
            "SELECT (SELECT count(*) FROM scheduled_jobs WHERE resource_name = 'tick'),"
            " (SELECT count(*) FROM scheduled_job_executions)"
        ).fetchone()
    assert found is not None
    return found


def test_a_lost_database_is_written_again_from_the_cluster(site: Site) -> None:
    until(lambda: count_rows(site)[1] > 0, 60)
    before = len(site.list_starts())
    with psycopg.connect(site.postgres.url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE sundial WITH (FORCE)")
        connection.execute("CREATE DATABASE sundial OWNER sundial")
    for verb in ("restart", "status"):
        site.cluster.kubectl("rollout", verb, "deployment/sundial-api", "-n", NS)
    until(lambda: min(count_rows(site)) > 0, 60)
    assert len(site.list_starts()) > before


def build_marked(name: str) -> dict[str, Any]:
    """Build a schedule as the API made it, with its author's mark."""
    schedule = build_schedule(name, suspend=True)
    schedule["metadata"]["annotations"] = {"sundial.dev/created-by": "zoe"}
    return schedule


def test_only_who_restores_brings_marks_back(site: Site) -> None:
    kubectl = site.cluster.kubectl
    for name in (RESTORER, "zoe"):
        role = ("create", "rolebinding", name.rpartition(":")[2], "--clusterrole=cluster-admin")
        kubectl(*role, "-n", TEAM, f"--user={name}")
    manifest = json.dumps(build_marked("marked"))
    with pytest.raises(KubectlError, match="created-by"):
        kubectl("create", "--as=zoe", "-n", TEAM, "-f", "-", input=manifest)
    kubectl("create", f"--as={RESTORER}", "-n", TEAM, "-f", "-", input=manifest)


def test_a_restored_cluster_starts_nothing_before_it_is_released(site: Site) -> None:
    exported = yaml.safe_load(site.cluster.kubectl("get", "scheduledjobs", "tick", "-n", TEAM, "-o", "yaml"))
    site.deploy("upgrade", merge(VALUES, {"operator": {"hold": True}}))
    site.cluster.kubectl("delete", "scheduledjob", "tick", "-n", TEAM, "--wait")
    seen = len(site.list_starts())
    site.apply({**exported, "metadata": {"name": "tick"}}, TEAM)

    def is_held() -> bool:
        path = f"/apis/sundial.dev/v1alpha1/namespaces/{TEAM}/scheduledjobs/tick"
        verdicts = site.cluster.get_json(path).get("status", {}).get("counters", {}).get("verdicts", {})
        return verdicts.get("missed", {}).get("Held", 0) > 1

    until(is_held, 60)
    assert len(site.list_starts()) == seen
    site.deploy("upgrade", VALUES)
    until(lambda: len(site.list_starts()) > seen + 2, 60)
