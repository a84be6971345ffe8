"""How does a run end? Real processes of the oldest and the newest Python, started as a Job's command does."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from testkit.runner_processes import (
    NO_PYTHON38,
    USER_APP,
    RunnerProcesses,
    find_newest_python,
    find_python38,
)

from sundial_runner.messages import LONGEST_LINE

BECOME_SUBREAPER = """\
import ctypes
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans become children of this process
"""
IGNORE_CHILDREN = "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"


@pytest.fixture(params=[find_python38, find_newest_python], ids=["oldest", "newest"])
def runs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunnerProcesses]:
    with RunnerProcesses(tmp_path, request.param()) as processes:
        yield processes


@pytest.fixture
def newest(tmp_path: Path) -> Iterator[RunnerProcesses]:
    with RunnerProcesses(tmp_path, find_newest_python()) as processes:
        yield processes


def _end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> None:
    """Send a signal once the function says that it waits."""
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)


@pytest.mark.parametrize(
    ("path", "args", "code", "said"),
    [
        pytest.param("samples.coroutine", {"x": "فشل"}, 0, {"result": {"result": "فشل"}}, id="returned"),
        pytest.param("samples.nothing", {}, 0, {}, id="nothing returned"),
        pytest.param("endings.exits", {}, 0, {}, id="sys.exit()"),
        pytest.param(
            "endings.exits", {"code": 63}, 63, {"error": "the function called sys.exit(63)"}, id="63"
        ),
        pytest.param(
            "endings.exits",
            {"code": 78},
            1,
            {"error": "the function called sys.exit(78)"},
            id="a code of ours",
        ),
        pytest.param(
            "endings.exits_hard",
            {"code": 2},
            2,
            {"error": "the process ended with exit code 2 and told no result (os._exit?)"},
            id="os._exit(2)",
        ),
        pytest.param(
            "endings.exits_hard",
            {"code": 0},
            70,
            {"error": "the process ended with exit code 0 and told no result (os._exit?)"},
            id="os._exit(0)",
        ),
        pytest.param(
            "endings.segfault",
            {},
            139,
            {"error": "the process was killed by SIGSEGV"},
            id="segmentation fault",
        ),
        pytest.param(
            "samples.absent", {}, 78, {"error": "samples.absent: the module samples has no absent"}, id="path"
        ),
        pytest.param(
            "endings.leaves_process_behind", {}, 0, {"result": {"result": "left"}}, id="process left behind"
        ),
    ],
)
def test_a_run_ends_with_a_code_and_a_message(
    runs: RunnerProcesses, path: str, args: dict[str, object], code: int, said: dict[str, object]
) -> None:
    ended = runs.run(path, args)
    assert (ended.code, ended.message) == (code, {"sundial": 1} | said)


@pytest.mark.parametrize(
    ("path", "args", "code", "error"),
    [
        pytest.param(
            "endings.exits_hard",
            {"code": 143},
            1,
            "the process ended with exit code 143 and told no result (os._exit?)",
            id="os._exit(143)",
        ),
        pytest.param(
            "endings.leaves_process_behind",
            {"end": 3},
            3,
            "the process ended with exit code 3 and told no result (os._exit?)",
            id="os._exit(3), and a process that holds the pipe",
        ),
        pytest.param("endings.killed", {"number": 9}, 137, "the process was killed by SIGKILL", id="SIGKILL"),
        pytest.param(
            "endings.killed", {"number": 40}, 168, "the process was killed by signal 40", id="real-time"
        ),
        pytest.param("samples.plain", [1], 78, "SUNDIAL_ARGS is no JSON object", id="arguments in a list"),
        pytest.param(
            "",
            {},
            78,
            "SUNDIAL_FUNCTION is not set: it names what to run, as package.module.function",
            id="no function",
        ),
    ],
)
def test_an_odd_end_has_a_code_and_an_error(
    newest: RunnerProcesses, path: str, args: object, code: int, error: str
) -> None:
    ended = newest.run(path, args)
    assert (ended.code, ended.message) == (code, {"sundial": 1, "error": error})
    assert ended.log == f"sundial: {error}\n"


@pytest.mark.parametrize("path", ["samples.fails", "samples.fails_awaited"])
def test_a_failure_has_the_traceback_of_the_users_frames(runs: RunnerProcesses, path: str) -> None:
    ended = runs.run(path)
    assert ended.code == 1
    assert ended.message["error"] in ("ValueError: فشل: لا يوجد مخدوم ✗", "ValueError: while awaited")
    lines = ended.message["traceback"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert [line.split('"')[1].rsplit("/", 1)[1] for line in lines if line.startswith("  File")] == [
        "samples.py"
    ]
    assert lines[-1] == ended.message["error"]
    assert ended.log == f"{ended.message['traceback']}sundial: {ended.message['error']}\n"


def test_a_broken_module_has_its_own_traceback(runs: RunnerProcesses) -> None:
    ended = runs.run("broken.function")
    assert (ended.code, ended.message["error"]) == (
        1,
        "ModuleNotFoundError: No module named 'no_such_dependency'",
    )
    assert ended.message["traceback"].count("  File") == 1


@pytest.mark.parametrize("path", ["endings.waits", "endings.waits_async"])
def test_sigterm_ends_a_function_after_its_cleaning_up(runs: RunnerProcesses, path: str) -> None:
    process = runs.start(path)
    _end(process)
    ended = runs.finish(process)
    assert (ended.code, ended.message) == (143, {"sundial": 1, "error": "stopped by SIGTERM"})
    assert ended.out == "cleaned up\n"


def test_what_threads_are_still_at_is_waited_for(runs: RunnerProcesses) -> None:
    ended = runs.run("endings.leaves_threads")
    assert (ended.code, ended.message) == (0, {"sundial": 1, "result": {"result": 1}})
    assert sorted(ended.out.split()) == ["pool", "thread"]


def test_an_interruption_stops_as_sigterm_does(newest: RunnerProcesses) -> None:
    process = newest.start("endings.waits")
    _end(process, signal.SIGINT)
    ended = newest.finish(process)
    assert (ended.code, ended.out) == (143, "cleaned up\n")


def test_sigterm_ends_an_import(newest: RunnerProcesses) -> None:
    process = newest.start("slow_import.function")
    _end(process)
    ended = newest.finish(process)
    assert (ended.code, ended.message) == (143, {"sundial": 1, "error": "stopped by SIGTERM"})


def test_a_function_that_is_deaf_to_sigterm_is_killed_before_its_grace_is_over(runs: RunnerProcesses) -> None:
    process = runs.start("endings.deaf", SUNDIAL_GRACE_SECONDS="0.2")
    _end(process)
    ended = runs.finish(process)
    deaf = "it did not end within its grace of 0.2 s and was killed"
    assert (ended.code, ended.message) == (143, {"sundial": 1, "error": f"stopped by SIGTERM: {deaf}"})


def test_a_function_that_lets_sigterm_kill_it_was_stopped(newest: RunnerProcesses) -> None:
    process = newest.start("endings.default_handler")
    _end(process)
    ended = newest.finish(process)
    assert (ended.code, ended.message) == (143, {"sundial": 1, "error": "stopped by SIGTERM"})


def test_a_function_that_finishes_in_spite_of_sigterm_has_its_result(newest: RunnerProcesses) -> None:
    process = newest.start("endings.finishes_anyway")
    _end(process)
    ended = newest.finish(process)
    assert (ended.code, ended.message) == (0, {"sundial": 1, "result": {"result": "finished"}})


def test_orphans_are_reaped(newest: RunnerProcesses, tmp_path: Path) -> None:
    ended = newest.run_prepared(BECOME_SUBREAPER, "endings.orphan", {"ends": os.fspath(tmp_path / "orphan")})
    assert ended.message == {"sundial": 1, "result": {"reaped": True}}


def test_a_child_is_waited_for_where_its_end_is_ignored(newest: RunnerProcesses) -> None:
    ended = newest.run_prepared(IGNORE_CHILDREN, "samples.plain")
    assert (ended.code, ended.message) == (0, {"sundial": 1, "result": {"x": 1}})


def test_a_fork_that_returns_reports_nothing(newest: RunnerProcesses) -> None:
    assert newest.run("endings.forks_and_returns").message == {"sundial": 1, "result": {"result": "parent"}}


@pytest.mark.parametrize(
    ("path", "result"), [("endings.spawns", {"x": 4}), ("endings.starts_program", {"result": "7\n"})]
)
def test_a_function_may_start_processes(runs: RunnerProcesses, path: str, result: object) -> None:
    assert runs.run(path).message == {"sundial": 1, "result": result}


def test_what_is_registered_for_the_exit_runs(newest: RunnerProcesses) -> None:
    assert newest.run("endings.registers").out == "sent at the exit\n"


def test_a_function_sees_the_surroundings_of_a_plain_process(runs: RunnerProcesses) -> None:
    seen = runs.run("endings.where").message["result"]
    assert seen["mask"] == []
    assert seen["argv"] == ["-c"]
    assert not [path for path in seen["path"] if "/proc/" in path or path.endswith(".pyz")]


def test_nothing_heavy_is_imported_before_the_function(newest: RunnerProcesses) -> None:
    assert newest.run("first.loaded").message["result"] == {"result": []}


def test_a_message_has_the_size_that_the_kubelet_takes(runs: RunnerProcesses) -> None:
    ended = runs.run("endings.big", SUNDIAL_MESSAGE_BYTES="2457")
    assert 2000 < len(runs.message_file.read_bytes()) <= 2457
    assert ended.message["truncated"] == ["result.ids"]


def test_a_result_without_room_is_the_last_line_of_the_log(runs: RunnerProcesses) -> None:
    ended = runs.run("endings.lists", {"count": 9000})
    assert ended.message["truncated"] == ["result.ids"]
    *before, line = ended.out.splitlines()
    assert before == ["done", "at the exit"]
    assert json.loads(line) == {"sundial": 1, "result": {"ids": list(range(9000)), "name": "é"}}


def test_a_result_that_is_larger_than_a_line_is_cut_there_too(runs: RunnerProcesses) -> None:
    line = runs.run("endings.big").out
    assert line.endswith("}\n")
    assert 200_000 < len(line) <= LONGEST_LINE + 1
    message = json.loads(line)
    assert (message["truncated"], message["result"]["deleted"]) == (["result.ids"], 5)


@pytest.mark.parametrize(
    ("path", "args"),
    [
        pytest.param("endings.lists", {"count": 3, "last": ""}, id="a result with room"),
        pytest.param("endings.raises_much", {}, id="a failure"),
    ],
)
def test_otherwise_nothing_is_added_to_the_log(
    newest: RunnerProcesses, path: str, args: dict[str, object]
) -> None:
    assert newest.run(path, args).out in ("", "doneat the exit")


def test_secrets_are_hidden_in_the_last_line_too(newest: RunnerProcesses) -> None:
    secret = "hunter2-hunter2"
    args = {"count": 9000, "last": f"{secret}\n"}
    line = newest.run("endings.echoes", args, DB_PASSWORD=secret).out
    assert json.loads(line)["result"]["last"] == "***\n"


def test_a_log_that_the_function_has_closed_changes_nothing_else(newest: RunnerProcesses) -> None:
    ended = newest.run("endings.closes_its_log")
    assert (ended.code, ended.out, ended.log) == (0, "", "")
    assert ended.message["truncated"] == ["result.ids"]


def test_secrets_of_the_environment_reach_neither_message_nor_log(runs: RunnerProcesses) -> None:
    secret = "hunter2-hunter2"
    ended = runs.run("endings.exits", {"code": f"refused {secret}"}, DB_PASSWORD=secret)
    assert ended.message["error"] == "the function called sys.exit('refused ***')"
    assert secret not in ended.log


def test_a_secret_that_the_function_took_out_of_the_environment_is_hidden(newest: RunnerProcesses) -> None:
    secret = "hunter2-hunter2"
    ended = newest.run("endings.takes_its_password", DB_PASSWORD=secret)
    assert ended.message["error"] == "ValueError: ***"
    assert secret not in ended.log + ended.message["traceback"]


def test_a_place_for_the_message_that_is_missing_changes_nothing_else(newest: RunnerProcesses) -> None:
    process = newest.start("samples.plain", SUNDIAL_MESSAGE_PATH="/nonexistent/log")
    ended = newest.finish(process)
    assert (ended.code, ended.message) == (0, None)
    assert ended.log == (
        "sundial: the message cannot be written to /nonexistent/log: No such file or directory\n"
    )


def test_no_python38_is_a_failure_that_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SUNDIAL_PYTHON38", raising=False)
    monkeypatch.setattr("testkit.runner_processes.PYENVS", [tmp_path])
    with pytest.raises(AssertionError, match="There is no Python 3") as failure:
        find_python38()
    assert str(failure.value) == NO_PYTHON38


def test_check_works_under_the_oldest_python_and_as_a_module(runs: RunnerProcesses) -> None:
    assert runs.check("samples.plain").code == 0
    command = [sys.executable, "-m", "sundial_runner", "check", "broken.f"]
    ended = runs.finish(runs.spawn(command, {"PYTHONPATH": os.fspath(USER_APP.parents[3] / "runner")}))
    assert ended.code == 78
    assert ended.log.endswith("error: ModuleNotFoundError: No module named 'no_such_dependency'\n")
