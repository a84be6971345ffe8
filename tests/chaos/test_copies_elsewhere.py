"""A copy of a Job in another namespace holds no place: here, because its operator watches all namespaces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testkit.processes.job_copies import copy_job
from testkit.processes.operators import Starter, Sundial, build_scheduled_job, build_template

from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until

HOUR = {"pod-complete.stage.kwok.x-k8s.io/delay": "1h"}


@pytest.fixture
def elsewhere(cluster: Cluster, namespace: str) -> Iterator[str]:
    """Give a second namespace."""
    name = f"{namespace}-2"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_a_copy_in_another_namespace_holds_no_place(start_operator: Starter, elsewhere: str) -> None:
    sundial = start_operator(SUNDIAL_WATCH_NAMESPACES="")
    template = build_template(["sleep"], **HOUR)
    every_two_seconds = {"interval": {"seconds": 2}}
    sundial.apply(build_scheduled_job("copied", every_two_seconds, template=template, timeoutSeconds=3600))
    job = until(lambda: sundial.jobs("copied"))[0]
    copy_job(sundial, job, elsewhere, job["metadata"]["name"])
    until(lambda: is_noticed(sundial, elsewhere))
    assert [one["job"] for one in until(lambda: sundial.status("copied").get("active"))] == [
        job["metadata"]["name"]
    ]
    assert sundial.condition("copied", "JobsRecognized") == {}
    sundial.cluster.kubectl(
        "annotate", "-n", sundial.ns, "job", job["metadata"]["name"], "sundial.dev/cancel=true"
    )
    until(lambda: len(sundial.jobs("copied")) >= 2)


def is_noticed(sundial: Sundial, ns: str) -> bool:
    """Tell whether the operator said that a Job of a namespace is not ours."""
    lines = sundial.log.read_text().splitlines()
    return any('"event": "a Job is not ours"' in line and f'"namespace": "{ns}"' in line for line in lines)
