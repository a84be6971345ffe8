"""Which clusters do tests get? One control plane and one real node per test run, a fresh namespace per test.

Rings are folders: tests/cluster, tests/pods, tests/chart and tests/database get their markers here. Tests
elsewhere need nothing. Tests wait with `until` and `until_async` of sundial_devcluster.polling.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from sundial_devcluster.cluster import (
    Cluster,
    ClusterConfig,
    KubectlError,
    Nodes,
    find_obstacle,
    start_cluster,
)
from sundial_devcluster.kubectl import install_crds
from sundial_devcluster.polling import until

RINGS = ("cluster", "pods", "database", "chart")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test by the ring its folder names."""
    for item in items:
        inside = Path(os.path.relpath(item.path, config.rootpath)).parts
        for ring in RINGS:
            if inside[:2] == ("tests", ring):
                item.add_marker(ring)


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """Give the control plane of this test run, with two simulated nodes and the project's CRDs."""
    yield from _session_cluster(f"test-{os.getpid()}", Nodes.KWOK, pytestconfig)


@pytest.fixture(scope="session")
def node_cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """Give a cluster with a real node; where none can run, the test is skipped and says why."""
    obstacle = find_obstacle()
    if obstacle:
        pytest.skip(f"real Pods are not to be had: {obstacle}")
    yield from _session_cluster(f"test-node-{os.getpid()}", Nodes.REAL, pytestconfig)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """Give a fresh namespace in `cluster`; its deletion is not waited for."""
    yield from _fresh_namespace(cluster)


@pytest.fixture
def node_namespace(node_cluster: Cluster) -> Iterator[str]:
    """Give a fresh namespace in `node_cluster`; its deletion is not waited for."""
    yield from _fresh_namespace(node_cluster)


def _session_cluster(name: str, nodes: Nodes, config: pytest.Config) -> Iterator[Cluster]:
    started = start_cluster(ClusterConfig(name, nodes))
    try:
        crds = config.rootpath / "crds"
        if any(crds.glob("*.yaml")):
            install_crds(started.kubectl, crds)
        yield started
    finally:
        started.stop()


def _fresh_namespace(cluster: Cluster) -> Iterator[str]:
    name = f"test-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    path = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    until(lambda: _is_there(cluster, path))
    yield name
    try:
        cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
    except KubectlError as error:
        pytest.fail(f"the namespace of the test cannot be deleted: {error.stderr}")


def _is_there(cluster: Cluster, path: str) -> bool:
    try:
        cluster.get_json(path)
    except OSError:
        return False
    return True
