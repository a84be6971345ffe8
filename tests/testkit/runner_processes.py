"""Runs the runner as a Pod does: its archive, started by the program of a Job's command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sundial_core.runs.runner_archive import RunnerArchive, build_archive, build_program, read_sources

OWN_PYTHONS = Path(sys.base_prefix).parent
"""Where pyenv has the Python of the tests, if it is pyenv's, and others beside it."""
PYENVS = (OWN_PYTHONS, Path("~/.pyenv/versions").expanduser())
USER_APP = Path(__file__).parents[1] / "unit" / "runner" / "user_app"
NO_PYTHON38 = (
    "There is no Python 3.8, the oldest that the runner promises: `pyenv install 3.8`, or say where one is: "
    "SUNDIAL_PYTHON38=/path/to/python3.8"
)


def find_python38() -> str:
    """Find a Python 3.8: the one that SUNDIAL_PYTHON38 names, else pyenv's."""
    named = os.environ.get("SUNDIAL_PYTHON38")
    found = [named] if named else [str(path) for path in list_pythons("3.8.*")]
    if not found:
        raise AssertionError(NO_PYTHON38)
    return found[-1]


def list_pythons(version: str) -> list[Path]:
    """List pyenv's programs of a version."""
    return [path for pyenv in PYENVS for path in sorted(pyenv.glob(f"{version}/bin/python"))]


def find_newest_python() -> str:
    """Find the newest Python: pyenv's where it is newer than the one of the tests."""
    versions = {_parse_version(path.parents[1].name): path for path in list_pythons("3.*")}
    newest = max(versions, default=(0,))
    return str(versions[newest]) if newest > sys.version_info[:3] else sys.executable


def _parse_version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", name)[:3])


@dataclass(frozen=True)
class Ended:
    """How a run ended, as the kubelet sees it."""

    code: int
    message: Any
    out: str
    log: str


class RunnerProcesses:
    """Starts runs of functions of `user_app`; `folder` takes the place of what a Pod has mounted."""

    def __init__(self, folder: Path, python: str) -> None:
        self.archive: RunnerArchive = build_archive(read_sources())
        self.archive_file = folder / "runner.pyz"
        self.message_file = folder / "termination-log"
        self.program = build_program(self.archive.digest, str(self.archive_file))
        self._python = python
        self._started: list[subprocess.Popen[str]] = []
        self.archive_file.write_bytes(self.archive.data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """End what a test that failed has not waited for."""
        for process in self._started:
            process.kill()
            process.communicate()

    def start(self, path: str, args: object = None, **environment: str) -> subprocess.Popen[str]:
        """Start a run of a function."""
        return self.spawn([self._python, "-c", self.program], self._tell(path, args) | environment)

    def run_prepared(self, preparation: str, path: str, args: object = None) -> Ended:
        """Run a function to its end in a process that a Python program has prepared."""
        prepared = f"{preparation}\nimport os, sys\nos.execv(sys.argv[1], sys.argv[1:])\n"
        command = [sys.executable, "-c", prepared, self._python, "-c", self.program]
        return self.finish(self.spawn(command, self._tell(path, args)))

    def _tell(self, path: str, args: object) -> dict[str, str]:
        """Tell what a Job's Pod is told in its environment."""
        self.message_file.write_bytes(b"")
        return {
            "SUNDIAL_FUNCTION": path,
            "SUNDIAL_ARGS": json.dumps(args or {}),
            "SUNDIAL_MESSAGE_PATH": str(self.message_file),
        }

    def spawn(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
        """Start a process that has nothing of this one's environment."""
        process = subprocess.Popen(
            command,
            cwd=USER_APP,
            env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> Ended:
        """Wait for the end of a run."""
        out, log = process.communicate(timeout=60)
        told = self.message_file.read_bytes() if self.message_file.exists() else b""
        return Ended(process.returncode, json.loads(told) if told else None, out, log)

    def run(self, path: str, args: object = None, **environment: str) -> Ended:
        """Run a function to its end."""
        return self.finish(self.start(path, args, **environment))

    def check(self, path: str) -> Ended:
        """Check a path, as a user does in an image."""
        self.message_file.write_bytes(b"")
        return self.finish(self.spawn([self._python, "-c", self.program, "check", path], {}))
