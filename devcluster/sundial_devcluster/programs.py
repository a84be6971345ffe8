"""Which programs does a cluster need, at which pinned versions, and which of them are there already?

A stamp beside each built program holds its pin; a changed pin makes the program missing again. What
KUBEBUILDER_ASSETS holds of etcd, kube-apiserver and kube-controller-manager is taken instead.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sundial_devcluster.config import Nodes
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.folders import programs_folder

SOURCES = Path(__file__).resolve().parent.parent / "programs"
FROM_ASSETS = ("etcd", "kube-apiserver", "kube-controller-manager")
KWOK_FILES = (
    "stage/node/fast/node-initialize.yaml",
    "stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "stage/pod/fast/pod-ready.yaml",
    "stage/pod/fast/pod-delete.yaml",
    "stage/pod/general/pod-complete.yaml",
    "rbac/role.yaml",
)
SYFT_FILES = ("cyclonedx.json", "spdx.schema.json")


class Module(StrEnum):
    """The Go modules that programs come from."""

    ETCD = "go.etcd.io/etcd/server/v3"
    KUBERNETES = "k8s.io/kubernetes"
    KWOK = "sigs.k8s.io/kwok"
    HELM = "helm.sh/helm/v4"
    COREDNS = "github.com/coredns/coredns"
    SYFT = "github.com/anchore/syft"


@dataclass(frozen=True)
class Program:
    """Describe a program; `seconds` is how long a first build takes on 2 cores."""

    name: str
    folder: str
    module: Module
    package: str
    seconds: int


# etcd, kube-apiserver and kube-controller-manager come first: with them testing can begin.
PROGRAMS = (
    Program("etcd", "etcd", Module.ETCD, "", 60),
    Program("kube-apiserver", "kubernetes", Module.KUBERNETES, "/cmd/kube-apiserver", 270),
    Program("kube-controller-manager", "kubernetes", Module.KUBERNETES, "/cmd/kube-controller-manager", 80),
    Program("kube-scheduler", "kubernetes", Module.KUBERNETES, "/cmd/kube-scheduler", 20),
    Program("kwok", "kwok", Module.KWOK, "/cmd/kwok", 80),
    Program("kubelet", "kubernetes", Module.KUBERNETES, "/cmd/kubelet", 30),
    Program("kube-proxy", "kubernetes", Module.KUBERNETES, "/cmd/kube-proxy", 15),
    Program("helm", "helm", Module.HELM, "/cmd/helm", 90),
    Program("coredns", "coredns", Module.COREDNS, "", 80),
)
FOR_RELEASES = (Program("syft", "syft", Module.SYFT, "/cmd/syft", 200),)
"""Built when a release asks for them, or by name."""


def program_names(nodes: Nodes, *, has_dns: bool = False) -> tuple[str, ...]:
    """Return the names of the programs that a cluster with such nodes runs."""
    dns = ("coredns",) if has_dns else ()
    simulated = ("kwok",) if nodes.are_simulated else ()
    real = ("kubelet", "kube-proxy") if nodes.are_real else ()
    return ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", *simulated, *real, *dns)


def pinned_version(program: Program) -> str:
    """Return the version of the program's module in its go.mod."""
    text = (SOURCES / program.folder / "go.mod").read_text()
    found = re.search(rf"^\s*{re.escape(program.module)} (v\S+)", text, re.MULTILINE)
    if not found:
        raise ClusterError(f"{SOURCES / program.folder / 'go.mod'} does not pin {program.module}.")
    return found[1]


def linker_flags(program: Program) -> str:
    """Return the flags that write the version into a program: clients complain about v0.0.0-master."""
    version = pinned_version(program)
    major, minor, _ = version.removeprefix("v").split(".", 2)
    flags = {
        Module.ETCD: (),
        Module.KUBERNETES: (
            f"k8s.io/component-base/version.gitVersion={version}",
            f"k8s.io/component-base/version.gitMajor={major}",
            f"k8s.io/component-base/version.gitMinor={minor}",
        ),
        Module.KWOK: (f"sigs.k8s.io/kwok/pkg/consts.Version={version}",),
        Module.HELM: (f"helm.sh/helm/v4/internal/version.version={version}",),
        Module.COREDNS: (),
        Module.SYFT: (f"main.version={version.removeprefix('v')}",),
    }
    return " ".join(["-s -w", *(f"-X {flag}" for flag in flags[program.module])])


def build_stamp(program: Program) -> str:
    """Return what a built program's stamp says when it is the pinned one."""
    sums = hashlib.sha256((SOURCES / program.folder / "go.sum").read_bytes()).hexdigest()
    return f"{program.module}{program.package} {pinned_version(program)} {linker_flags(program)} {sums}\n"


def stamp_path(program: Program) -> Path:
    """Return the stamp of a program."""
    return programs_folder() / f"{program.name}.stamp"


def kwok_folder() -> Path:
    """Return where kwok's own stages and role are kept beside the program."""
    return programs_folder() / "kwok.d"


def syft_folder() -> Path:
    """Return where the schemas of what syft writes are kept beside the program."""
    return programs_folder() / "syft.d"


def is_built(program: Program) -> bool:
    """Tell whether the pinned version of a program is there."""
    stamp = stamp_path(program)
    there = stamp.is_file() and (programs_folder() / program.name).is_file()
    return there and stamp.read_text() == build_stamp(program)


def find_asset(name: str) -> Path | None:
    """Return a program from KUBEBUILDER_ASSETS, or None."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets or name not in FROM_ASSETS or not (Path(assets) / name).is_file():
        return None
    return (Path(assets) / name).absolute()


def missing_programs(names: Iterable[str]) -> list[Program]:
    """Return what has to be built, in the order of building."""
    asked = set(names)
    wanted = [program for program in (*PROGRAMS, *FOR_RELEASES) if program.name in asked]
    return [program for program in wanted if not find_asset(program.name) and not is_built(program)]


def locate_programs(names: Iterable[str]) -> dict[str, Path]:
    """Return the path of each program, there or not."""
    return {name: find_asset(name) or programs_folder() / name for name in names}
