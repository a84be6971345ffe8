"""On which cluster does a demo run? The user's choice, or the first of what this machine has that works.

The choice itself is pure. Only LOCAL and CURRENT have been run; the branches for kind and k3d need Docker and
have not been run on any machine yet.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from sundial_devcluster.cluster import ClusterConfig, Nodes, choose_nodes, find_obstacle, start_cluster
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.folders import cache_root
from sundial_devcluster.kubectl import kubectl_program

DEMO = "sundial-demo"


class Kind(StrEnum):
    """Where a cluster comes from."""

    CURRENT = "current"
    KIND = "kind"
    K3D = "k3d"
    LOCAL = "local"
    AUTO = "auto"


class ChosenCluster(NamedTuple):
    """Hold a cluster to use, what it is in one sentence, and what to call when it is no longer needed."""

    kubeconfig: Path
    description: str
    cleanup: Callable[[], None]
    load: Callable[[Path], None] | None = None
    """What gives its nodes an image; None where they are not ours."""


@dataclass(frozen=True)
class Surroundings:
    """Hold what a choice depends on; `node_obstacle` says why no real node can run here."""

    is_linux: bool
    node_obstacle: str | None
    tools: frozenset[Kind]
    current_context: str | None


@dataclass(frozen=True)
class Choice:
    """Hold which kind was chosen and why."""

    kind: Kind
    reason: str


def look_around() -> Surroundings:
    """Return what this machine offers."""
    has_docker = _succeeds("docker", "info")
    tools = {kind for kind in (Kind.KIND, Kind.K3D) if has_docker and shutil.which(kind)}
    is_linux = sys.platform == "linux"
    return Surroundings(
        is_linux=is_linux,
        node_obstacle=find_obstacle() if is_linux else "it needs Linux",
        tools=frozenset(tools),
        current_context=_current_context(),
    )


def choose_kind(asked: Kind, around: Surroundings) -> Choice:
    """Return the kind that is asked for, or for AUTO the first that works; raise ClusterError when none does.

    AUTO takes a real node here first, then Docker's clusters, then simulated nodes; it falls back on the
    user's own current context only where nothing else works.
    """
    if asked is Kind.AUTO:
        return _first_that_works(around)
    obstacle = find_kind_obstacle(asked, around)
    if obstacle:
        raise ClusterError(f"CLUSTER={asked} cannot be used: {obstacle}.")
    return Choice(asked, "it was asked for")


def _first_that_works(around: Surroundings) -> Choice:
    if around.is_linux and around.node_obstacle is None:
        return Choice(Kind.LOCAL, "this machine can run a real node itself")
    for kind in (Kind.KIND, Kind.K3D):
        if kind in around.tools:
            return Choice(kind, f"{kind} and Docker are here, and {around.node_obstacle}")
    if around.is_linux:
        return Choice(Kind.LOCAL, f"there is no kind or k3d with Docker, and {around.node_obstacle}")
    if around.current_context is not None:
        return Choice(Kind.CURRENT, "this is not Linux and there is no kind or k3d with Docker")
    raise ClusterError(
        "No cluster can be had: this is not Linux, without Docker and without a kubectl context."
    )


def find_kind_obstacle(kind: Kind, around: Surroundings) -> str | None:
    """Return why a kind cannot be used, or None."""
    if kind in (Kind.KIND, Kind.K3D) and kind not in around.tools:
        return f"it needs {kind} and a running Docker"
    if kind is Kind.LOCAL and not around.is_linux:
        return "it needs Linux"
    if kind is Kind.CURRENT and around.current_context is None:
        return "kubectl has no current context"
    return None


def choose_cluster(
    asked: Kind, confirm: Callable[[str], bool], report: Callable[[str], None] = lambda _: None
) -> ChosenCluster:
    """Start or take a cluster; `confirm` is asked before anything of the user's own is touched.

    Raises ClusterError when there is none, or when the user declines.
    """
    around = look_around()
    choice = choose_kind(asked, around)
    report(f"Using CLUSTER={choice.kind}: {choice.reason}.")
    match choice.kind:
        case Kind.CURRENT:
            return _take_current(around.current_context or "", confirm)
        case Kind.KIND:
            return _create_with_kind()
        case Kind.K3D:
            return _create_with_k3d()
        case _:
            return _start_local(report)


def _start_local(report: Callable[[str], None]) -> ChosenCluster:
    nodes, reason = choose_nodes()
    cluster = start_cluster(ClusterConfig(DEMO, nodes), report)
    simulated = f"SIMULATED nodes, so no container really runs ({reason})"
    what = "a real node" if nodes is Nodes.REAL else simulated
    return ChosenCluster(cluster.kubeconfig, f"a throw-away cluster here with {what}", cluster.stop)


def _take_current(context: str, confirm: Callable[[str], bool]) -> ChosenCluster:
    if not confirm(f"Use the cluster of your current kubectl context, {context}?"):
        raise ClusterError(f"The context {context} was not used.")
    # A copy of this one context: a later `kubectl config use-context` must not move the demo elsewhere.
    target = _kubeconfig_file(Kind.CURRENT)
    arguments = (f"--context={context}", "config", "view", "--minify", "--flatten", "--raw")
    target.write_text(_run(str(kubectl_program()), *arguments))
    return ChosenCluster(target, f"the cluster of your kubectl context {context}", target.unlink)


def _create_with_kind() -> ChosenCluster:
    target = _kubeconfig_file(Kind.KIND)
    _run("kind", "create", "cluster", "--name", DEMO, "--kubeconfig", str(target))
    remove = ("kind", "delete", "cluster", "--name", DEMO, "--kubeconfig", str(target))

    def load(archive: Path) -> None:
        _run("kind", "load", "image-archive", str(archive), "--name", DEMO)

    return ChosenCluster(target, f"the kind cluster {DEMO}", lambda: _remove(target, *remove), load)


def _create_with_k3d() -> ChosenCluster:
    target = _kubeconfig_file(Kind.K3D)
    _run("k3d", "cluster", "create", DEMO, "--kubeconfig-update-default=false")
    _run("k3d", "kubeconfig", "write", DEMO, "--output", str(target))
    remove = ("k3d", "cluster", "delete", DEMO)

    def load(archive: Path) -> None:
        _run("k3d", "image", "import", str(archive), "--cluster", DEMO)

    return ChosenCluster(target, f"the k3d cluster {DEMO}", lambda: _remove(target, *remove), load)


def _remove(kubeconfig: Path, *command: str) -> None:
    _run(*command)
    kubeconfig.unlink(missing_ok=True)


def _kubeconfig_file(kind: Kind) -> Path:
    folder = cache_root() / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{kind}.kubeconfig"
    file.touch(mode=0o600)
    return file


def _current_context() -> str | None:
    command = [str(kubectl_program()), "config", "current-context"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None if done.returncode == 0 else None


def _succeeds(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
