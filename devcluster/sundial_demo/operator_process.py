"""The operator as a child of the demo: started, watched over, ended by SIGTERM."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sundial_devcluster.children import Child, spawn
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.processes import MARK, end, identify

STOP_GRACE = 20.0
TAIL_LINES = 15


class OperatorProcess:
    """Know the running operator and its log."""

    def __init__(self, child: Child, log: Path) -> None:
        self._child = child
        self._log = log

    def check(self) -> None:
        """Raise ClusterError when the operator has ended."""
        if self._child.poll() is not None:
            raise self.failure(f"The operator ended with status {self._child.status}")

    def failure(self, sentence: str) -> ClusterError:
        """Return an error with the tail of the operator's log."""
        tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        return ClusterError(f"{sentence}; its log ends:\n{tail}")


@contextmanager
def running_operator(kubeconfig: Path, watched: str) -> Iterator[OperatorProcess]:
    """Run the operator for one namespace, or for all if `watched` is empty; it logs beside its kubeconfig."""
    log = kubeconfig.with_suffix(".log")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SUNDIAL_")} | {
        MARK: str(kubeconfig.parent),  # by which `down` finds it
        "KUBECONFIG": str(kubeconfig),
        "SUNDIAL_WATCH_NAMESPACE": watched,
        "SUNDIAL_TOMBSTONE_SECONDS": "60",
        "SUNDIAL_HEALTH_PORT": "0",  # others may run beside us
    }
    # Whatever kills the demo ends the operator too, where util-linux is there to arrange it.
    tied = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
    child = spawn((*tied, sys.executable, "-m", "sundial_operator"), environment, log)
    try:
        yield OperatorProcess(child, log)
    finally:
        process = identify(child.pid)
        if process is not None:
            end(process, STOP_GRACE)
        child.poll()
