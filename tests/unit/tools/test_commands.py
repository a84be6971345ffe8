"""How does a command end that is interrupted while it is being loaded? With one line, and status 130."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from signal import SIGINT, SIGTERM

import pytest

HOOK = """
import os, signal, sys

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            sys.meta_path.remove(self)
            signal.raise_signal(int(os.environ["BY"]))

sys.meta_path.insert(0, Interrupter())
"""


def signal_while_loading(command: str, moment: str, folder: Path, number: int) -> tuple[int, str, str]:
    """Send a signal to a command while it imports a module; returns how it ended and what it said."""
    (folder / "sitecustomize.py").write_text(HOOK)
    search = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", command],
        env={**os.environ, "PYTHONPATH": search, "INTERRUPT_AT": moment, "BY": str(int(number))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("command", "moment"),
    [
        pytest.param("sundial_api", "uvicorn", id="API"),
        pytest.param("sundial_api.db", "alembic", id="database"),
        pytest.param("sundial_api.importing", "apscheduler", id="import"),
        pytest.param("sundial_operator", "kopf", id="operator"),
        pytest.param("sundial_demo", "rich", id="demo"),
        pytest.param("sundial_devcluster", "cryptography", id="cluster"),
        pytest.param("sundial_release", "jsonschema_rs", id="release"),
        pytest.param("sundial_clock", "orjson", id="clock"),
    ],
)
def test_an_interruption_while_loading_is_one_line(command: str, moment: str, tmp_path: Path) -> None:
    assert signal_while_loading(command, moment, tmp_path, SIGINT) == (130, "", "Interrupted.\n")


@pytest.mark.parametrize("command", ["sundial_api", "sundial_api.db", "sundial_operator"])
def test_sigterm_while_loading_ends_the_first_process_of_a_container(command: str, tmp_path: Path) -> None:
    moment = "alembic" if "api" in command else "kopf"
    assert signal_while_loading(command, moment, tmp_path, SIGTERM) == (143, "", "")
