"""By which loopback address is the API in the cluster reached? `kubectl port-forward`, again when it ends."""

from __future__ import annotations

import os
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from sundial_demo.ground import Ground
from sundial_devcluster.addresses import LOOPBACK, free_ports
from sundial_devcluster.children import Child, spawn
from sundial_devcluster.kubectl import kubectl_program
from sundial_devcluster.processes import MARK, end, identify

STOP_GRACE = 5.0
ANSWER_SECONDS = 2


class Forward:
    """A port of this machine that leads to a Service; it ends with the Pod that it found."""

    def __init__(self, ground: Ground, namespace: str, service: str) -> None:
        self.port = free_ports(1, ())[0]
        self._log = ground.folder / f"{service}-forward.log"
        # Whatever kills the demo ends it too, where util-linux is there to arrange it.
        tied = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
        options = (f"--kubeconfig={ground.kubeconfig}", f"--namespace={namespace}", f"--address={LOOPBACK}")
        self._command = (
            *tied,
            str(kubectl_program()),
            "port-forward",
            *options,
            f"svc/{service}",
            f"{self.port}:80",
        )
        self._environment = os.environ | {MARK: str(ground.folder)}
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Return where it begins."""
        return f"http://{LOOPBACK}:{self.port}"

    def keep(self) -> None:
        """Start it unless it runs."""
        if self._child is None or self._child.poll() is not None:
            self._child = spawn(self._command, self._environment, self._log)

    def answers(self, path: str) -> bool:
        """Tell whether a GET is answered by 200; begin again where it has ended."""
        self.keep()
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=ANSWER_SECONDS):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        """End it."""
        process = self._child and identify(self._child.pid)
        if self._child and process:
            end(process, STOP_GRACE)
            self._child.poll()


@contextmanager
def forwarded(ground: Ground, namespace: str, service: str) -> Iterator[Forward]:
    """Give a running one."""
    forward = Forward(ground, namespace, service)
    forward.keep()
    try:
        yield forward
    finally:
        forward.stop()
