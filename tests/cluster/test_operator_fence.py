"""The fence at the API server: a Job of an older term is refused, whoever sends it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from testkit.processes.operators import (
    JsonObject,
    Starter,
    Sundial,
    build_scheduled_job,
)

from sundial_core.coordination.fence import build_fence, build_probe
from sundial_devcluster.cluster import Cluster, KubectlError
from sundial_devcluster.polling import until


@pytest.fixture
def fence(cluster: Cluster, namespace: str) -> Iterator[str]:
    """Give the manifests of the fence of the test's installation, applied; removed afterwards."""
    items = build_fence(f"{namespace}.sundial", namespace, "sundial")
    manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    cluster.kubectl("apply", "-f", "-", input=manifests)
    yield manifests
    cluster.kubectl("delete", "--ignore-not-found", "-f", "-", input=manifests)


@pytest.fixture
def fenced(fence: str, start_operator: Starter) -> Sundial:
    """Give a leader whose probe has found the fence to work."""
    sundial = start_operator()
    _until_fence(sundial, "ok")
    return sundial


def _until_fence(sundial: Sundial, state: str) -> None:
    until(lambda: f"fence: {state}" in sundial.health("/readyz")[1], every=0.5)


def _term(sundial: Sundial) -> int:
    path = f"/apis/sundial.dev/v1alpha1/namespaces/{sundial.ns}/leaderterms/sundial"
    return int(sundial.cluster.get_json(path)["spec"]["term"])


def _create_job_of(sundial: Sundial, term: int) -> None:
    job: JsonObject = build_probe(f"{sundial.ns}.sundial", sundial.ns, term)
    sundial.cluster.kubectl("create", "-f", "-", input=json.dumps(job))


def test_the_leaders_jobs_pass_and_older_ones_are_refused(fenced: Sundial) -> None:
    fenced.apply(build_scheduled_job("tick", {"interval": {"seconds": 1}}))
    until(lambda: fenced.jobs("tick"))
    with pytest.raises(KubectlError, match=f"sundial-fence.{fenced.ns}.sundial: this Job is of another term"):
        _create_job_of(fenced, _term(fenced) - 1)


def test_a_takeover_shuts_out_the_term_before(fenced: Sundial, start_operator: Starter) -> None:
    old = _term(fenced)
    fenced.end()
    successor = start_operator()
    _until_fence(successor, "ok")
    with pytest.raises(KubectlError, match="of another term"):
        _create_job_of(successor, old)


def test_a_fence_that_is_deleted_and_made_again_is_noticed_and_works(fenced: Sundial, fence: str) -> None:
    fenced.cluster.kubectl("delete", "-f", "-", input=fence)
    _until_fence(fenced, "absent")
    fenced.cluster.kubectl("apply", "-f", "-", input=fence)
    _until_fence(fenced, "ok")
    with pytest.raises(KubectlError, match="of another term"):
        _create_job_of(fenced, _term(fenced) - 1)


def test_other_jobs_pass_the_fence(fenced: Sundial) -> None:
    job = build_probe("somebody.else", fenced.ns, 1)
    said = fenced.cluster.kubectl("create", "-f", "-", input=json.dumps(job))
    assert said == f"job.batch/{job['metadata']['name']} created\n"
