"""Is a process recognised for what it is, and never another one killed in its place?"""

import dataclasses
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sundial_devcluster.cgroups import Hierarchy, parse_hierarchies
from sundial_devcluster.children import spawn
from sundial_devcluster.polling import until, until_async
from sundial_devcluster.processes import (
    MARK,
    end,
    identify,
    is_running,
    own_process,
    processes_marked,
    send_signal,
)

V1 = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,relatime,cpu,cpuacct 0 0\n"
NAMED = "cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,release_agent=/x,name=systemd 0 0\n"
V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"
HYBRID = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def test_own_process_is_running() -> None:
    assert own_process() == identify(os.getpid())
    assert is_running(own_process())


def test_recycled_pid_is_not_killed(sleeper: "subprocess.Popen[bytes]") -> None:
    process = identify(sleeper.pid)
    assert process is not None
    older = dataclasses.replace(process, started=process.started - 1)
    assert not is_running(older)
    send_signal(older, signal.SIGKILL)
    assert is_running(process)


def test_end_kills_what_ignores_the_request(tmp_path: Path) -> None:
    script = "trap '' TERM; echo on; while :; do sleep 0.1; done"
    child = spawn(("sh", "-c", script), dict(os.environ), tmp_path / "log")
    until(lambda: "on" in (tmp_path / "log").read_text())
    process = identify(child.pid)
    assert process is not None
    end(process, 0.2)
    child.wait(5)
    assert child.status == -signal.SIGKILL


def test_zombie_is_not_running(tmp_path: Path) -> None:
    child = spawn(("true",), dict(os.environ), tmp_path / "log")
    until(lambda: identify(child.pid) is None)
    child.wait(5)
    assert child.status == 0


def test_marked_processes_are_found_by_their_exact_folder(tmp_path: Path) -> None:
    mine = spawn(("sleep", "600"), {**os.environ, MARK: str(tmp_path / "a")}, tmp_path / "log")
    process = identify(mine.pid)
    assert process is not None
    until(lambda: list(processes_marked(tmp_path / "a")) == [process])
    assert list(processes_marked(tmp_path)) == []
    end(process, 0)
    mine.wait(5)


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        pytest.param(V1 + HYBRID, ("/sys/fs/cgroup/cpu,cpuacct", "cpu,cpuacct"), id="hybrid"),
        pytest.param(NAMED, ("/sys/fs/cgroup/systemd", "none,name=systemd"), id="named"),
        pytest.param(V2, ("/sys/fs/cgroup", ""), id="v2"),
    ],
)
def test_cgroup_hierarchies_are_read(mounts: str, expected: tuple[str, str]) -> None:
    assert parse_hierarchies(mounts) == (Hierarchy(Path(expected[0]), expected[1]),)


def test_until_gives_the_value_or_says_the_last_one() -> None:
    values = iter([0, 0, 3])
    assert until(lambda: next(values), every=0) == 3
    with pytest.raises(TimeoutError, match="last value: ''"):
        until(lambda: "", timeout=0)


async def test_until_async_takes_plain_and_coroutine_conditions() -> None:
    async def answer() -> str:
        return "there"

    assert await until_async(answer) == "there"
    assert await until_async(lambda: 5) == 5
    with pytest.raises(TimeoutError, match="last value: None"):
        await until_async(lambda: None, timeout=0)
