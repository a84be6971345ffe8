"""Which programs are missing, and when does a built one have to be built again?"""

import subprocess
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from sundial_devcluster import programs
from sundial_devcluster.builds import print_lines
from sundial_devcluster.config import Nodes
from sundial_devcluster.programs import (
    FOR_RELEASES,
    PROGRAMS,
    build_stamp,
    is_built,
    linker_flags,
    locate_programs,
    missing_programs,
    pinned_version,
    program_names,
    stamp_path,
)

BY_NAME = {program.name: program for program in (*PROGRAMS, *FOR_RELEASES)}
ETCD = BY_NAME["etcd"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUNDIAL_CACHE", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def pretend_built(cache: Path) -> None:
    (cache / "etcd").touch()
    stamp_path(ETCD).write_text(build_stamp(ETCD))


@pytest.mark.parametrize("name", BY_NAME)
def test_every_program_is_pinned(name: str) -> None:
    assert pinned_version(BY_NAME[name]) in build_stamp(BY_NAME[name])
    assert pinned_version(BY_NAME[name]).startswith("v")


def test_stamped_program_is_built(cache: Path) -> None:
    assert not is_built(ETCD)
    pretend_built(cache)
    assert is_built(ETCD)
    assert missing_programs(["etcd"]) == []


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_changed_pin_is_built_again(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    pretend_built(cache)
    copy = tmp_path / "sources" / "etcd"
    copy.mkdir(parents=True)
    for name in ("go.mod", "go.sum"):
        text = (programs.SOURCES / "etcd" / name).read_text()
        (copy / name).write_text(text.replace("v3.7.3", "v3.7.4") if name == file else text)
    monkeypatch.setattr(programs, "SOURCES", tmp_path / "sources")
    assert not is_built(ETCD)


def test_program_without_its_file_is_missing(cache: Path) -> None:
    pretend_built(cache)
    (cache / "etcd").unlink()
    assert missing_programs(["etcd"]) == [ETCD]


def test_what_testing_needs_first_is_built_first() -> None:
    names = [program.name for program in missing_programs(reversed([*BY_NAME]))]
    assert names[:3] == ["etcd", "kube-apiserver", "kube-controller-manager"]


def test_assets_are_taken_for_what_they_hold_only(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("etcd", "kube-scheduler"):
        (tmp_path / name).touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    found = locate_programs(["etcd", "kube-apiserver", "kube-scheduler"])
    assert found["etcd"] == tmp_path / "etcd"
    assert found["kube-apiserver"] == cache / "kube-apiserver"
    assert found["kube-scheduler"] == cache / "kube-scheduler"


@pytest.mark.parametrize(
    ("nodes", "extra"),
    [
        (Nodes.NONE, set()),
        (Nodes.KWOK, {"kwok"}),
        (Nodes.REAL, {"kubelet", "kube-proxy"}),
        (Nodes.BOTH, {"kwok", "kubelet", "kube-proxy"}),
    ],
)
def test_nodes_decide_which_programs_run(nodes: Nodes, extra: set[str]) -> None:
    assert set(program_names(nodes)) - set(program_names(Nodes.NONE)) == extra


def test_version_is_written_into_kubernetes() -> None:
    flags = linker_flags(BY_NAME["kubelet"])
    assert f"gitVersion={pinned_version(BY_NAME['kubelet'])}" in flags
    assert "gitMajor=1 " in flags


def test_a_long_build_says_how_far_it_is_where_no_bar_can_be_shown(tmp_path: Path) -> None:
    log, output = tmp_path / "log", StringIO()
    log.write_text("k8s.io/a\nk8s.io/b\n")
    with subprocess.Popen(["sleep", "0.3"]) as build:
        print_lines(build, ETCD, log, Console(file=output, width=100), every_seconds=0.05)
    assert "Building etcd: 2 packages compiled, 0 of about" in output.getvalue()
