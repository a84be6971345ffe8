"""On which cluster does the demo run, how is it used, and how does it go?"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sundial_devcluster.choose import Kind, choose_cluster, choose_kind, look_around
from sundial_devcluster.cluster import Cluster, ClusterConfig, Lifetime, start_cluster
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.images import BOX
from sundial_devcluster.kubectl import run_kubectl

Confirm = Callable[[str], bool]
Report = Callable[[str], None]


@dataclass(frozen=True)
class Ground:
    """Hold the cluster of the demo, whose own files are in `folder`.

    `image` replaces that of the examples where no registry can be reached.
    """

    kind: Kind
    description: str
    kubeconfig: Path
    folder: Path
    image: str | None = None
    cluster: Cluster | None = None
    """The local one."""
    load: Callable[[Path], None] | None = None
    """What gives the nodes an image; None where they are not ours."""

    def load_image(self, archive: Path) -> None:
        """Give the node an image; raise ClusterError where the node is not ours."""
        if self.load is None:
            raise ClusterError(f"{self.description} is given no images.")
        self.load(archive)

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl and return its output; raise KubectlError when it fails."""
        return run_kubectl(self.kubeconfig, arguments, text)


def settle_kind(asked: Kind, console: Console) -> Kind:
    """Choose the kind of cluster, and say why."""
    choice = choose_kind(asked, look_around())
    console.print(f"CLUSTER={choice.kind}: {choice.reason}.")
    return choice.kind


def open_ground(
    kind: Kind, config: ClusterConfig, confirm: Confirm, report: Report
) -> AbstractContextManager[Ground]:
    """Give the cluster that was chosen, and end it afterwards; `config` is that of a local one."""
    return _local(config, report) if kind is Kind.LOCAL else _other(kind, confirm, report)


@contextmanager
def _local(config: ClusterConfig, report: Report) -> Iterator[Ground]:
    cluster = start_cluster(config, report)
    description = f"the throw-away cluster {config.name} on this machine"
    try:
        yield Ground(
            Kind.LOCAL, description, cluster.kubeconfig, cluster.folder, BOX, cluster, cluster.load_image
        )
    finally:
        if config.lifetime is Lifetime.STARTER:
            report("removing the cluster")
            cluster.stop()


@contextmanager
def _other(kind: Kind, confirm: Confirm, report: Report) -> Iterator[Ground]:
    chosen = choose_cluster(kind, confirm)
    folder = Path(tempfile.mkdtemp(prefix="sundial-demo-"))
    kubeconfig = Path(shutil.copy(chosen.kubeconfig, folder / "kubeconfig"))
    try:
        yield Ground(kind, chosen.description, kubeconfig, folder, load=chosen.load)
    finally:
        report("letting go of the cluster")
        shutil.rmtree(folder)
        chosen.cleanup()
