"""A control plane of one's own whose etcd can be put back to an older state."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sundial_devcluster.cluster import Cluster, ClusterConfig, Nodes, start_cluster
from sundial_devcluster.kubectl import install_crds

ROOT = Path(__file__).parents[3]


@contextmanager
def open_restorable(name: str) -> Iterator[Cluster]:
    """Give a control plane that nobody else uses."""
    own = start_cluster(ClusterConfig(f"test-{name}-{os.getpid()}", Nodes.NONE))
    try:
        install_crds(own.kubectl, ROOT / "crds")
        yield own
    finally:
        own.stop()


def copy_etcd(cluster: Cluster, source: Path, target: Path) -> None:
    """Put etcd's data from one folder into another while nothing runs that uses it."""
    cluster.stop_component("kube-apiserver")
    cluster.stop_component("etcd")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    cluster.start_component("etcd")
    cluster.start_component("kube-apiserver")
