"""How are other programs run? Shown while they run, with what they said last when they fail."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable

from sundial_release.errors import ReleaseError

Command = tuple[str, ...]
TAIL_LINES = 20


def run(command: Command, epoch: int | None = None) -> str:
    """Show and run a command, and return what it says; raises ReleaseError. `epoch` stands for the time."""
    _show(f"$ {shlex.join(command)}\n")
    known = {} if epoch is None else {"SOURCE_DATE_EPOCH": str(epoch)}
    lines = []
    with subprocess.Popen(
        command, env=os.environ | known, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            _show(line)
            lines.append(line)
    if process.returncode != 0:
        raise ReleaseError(f"{command[0]} failed:\n{''.join(lines[-TAIL_LINES:]).strip()}")
    return "".join(lines)


def run_all(commands: Iterable[Command]) -> None:
    """Run commands one after the other, up to the first that fails."""
    for command in commands:
        run(command)


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
