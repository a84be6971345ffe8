"""The command that tries a path in an image: what kubectl is told to run."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from sundial_core.runs.runner_pods import read_archive
from sundial_operator import main


def print_command(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        main.main(["check-function", "services.sessions.clean_up", "--image", "app:1", *options])
    assert ended.value.code == 0
    return shlex.split(capsys.readouterr().out)


def read_spec(command: list[str]) -> dict[str, object]:
    (overrides,) = (word for word in command if word.startswith("--overrides="))
    spec: dict[str, object] = json.loads(overrides.partition("=")[2])["spec"]
    return spec


def test_the_pod_checks_the_path_by_the_runner_of_a_job(capsys: pytest.CaptureFixture[str]) -> None:
    command = print_command(capsys, "-n", "team")
    spec = read_spec(command)
    assert {"--image=app:1", "--namespace=team"} <= set(command)
    container = spec["containers"][0]  # type: ignore[index]
    assert container["command"][:2] == ["python3", "-c"]
    assert read_archive().digest in container["command"][2]
    assert container["command"][3:] == ["check", "services.sessions.clean_up"]
    assert spec["volumes"][0]["configMap"]["name"] == f"sundial-runner-{read_archive().digest[:10]}"  # type: ignore[index]
    assert "runAsUser" not in spec["securityContext"]  # type: ignore[operator]


def test_user_and_python_are_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    spec = read_spec(print_command(capsys, "--python", "/venv/bin/python", "--user", "10001"))
    assert spec["containers"][0]["command"][0] == "/venv/bin/python"  # type: ignore[index]
    assert spec["securityContext"]["runAsUser"] == 10001  # type: ignore[index]


@pytest.mark.parametrize("path", ["shop", "jobs.work.add()", "a b.c", "", "a..b"])
def test_what_no_task_function_takes_is_refused(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["check-function", path, "--image", "app:1"])
    assert ended.value.code == 2
    assert "must be the dotted path of a Python function" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_what_it_prints_runs_nothing_of_a_name(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A kubectl that fails at once: whatever else is run would leave a file."""
    (tmp_path / "kubectl").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "kubectl").chmod(0o755)
    evil = "x'$(touch made)`touch made`\";touch made;'"
    with pytest.raises(SystemExit):
        main.main(["check-function", "a.b", "--image", evil, "-n", evil, "--python", evil])
    printed = capsys.readouterr().out
    path = f"{tmp_path}:/usr/bin:/bin"
    done = subprocess.run(
        [shell], input=printed, cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "sundial-operator runner-manifest -n " in done.stderr
    assert not (tmp_path / "made").exists()
