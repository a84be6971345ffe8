"""Is the user's own cluster touched only after a yes, and left alone afterwards?"""

from pathlib import Path

import pytest

from sundial_devcluster.choose import Kind, choose_cluster
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.kubectl import run_kubectl


@pytest.fixture(autouse=True)
def current(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    monkeypatch.setenv("SUNDIAL_CACHE", str(tmp_path))


def test_current_context_is_named_before_it_is_used(cluster: Cluster) -> None:
    asked: list[str] = []
    chosen = choose_cluster(Kind.CURRENT, lambda question: asked.append(question) is None)
    assert asked == ["Use the cluster of your current kubectl context, sundial?"]
    nodes = ("get", "nodes", "-o", "name")
    assert run_kubectl(chosen.kubeconfig, nodes) == cluster.kubectl(*nodes)
    assert chosen.kubeconfig.stat().st_mode & 0o777 == 0o600


def test_end_removes_the_copy_and_not_the_cluster(cluster: Cluster) -> None:
    chosen = choose_cluster(Kind.CURRENT, lambda _: True)
    chosen.cleanup()
    assert not chosen.kubeconfig.exists()
    assert cluster.kubectl("get", "namespace", "default")


def test_no_is_taken_for_an_answer(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="sundial was not used"):
        choose_cluster(Kind.CURRENT, lambda _: False)
    assert not (tmp_path / "demo").exists()
