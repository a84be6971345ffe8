"""An API that mirrors one namespace and may be killed, for tests of what it does in an outage."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from testkit.processes.apis import PREFIX, TEMPLATE

from sundial_devcluster.addresses import LOOPBACK, free_ports
from sundial_devcluster.cluster import Cluster
from sundial_devcluster.polling import until

JsonObject = dict[str, Any]
FUNCTION: JsonObject = {
    "apiVersion": "sundial.dev/v1alpha1",
    "kind": "TaskFunction",
    "metadata": {"name": "clean-up"},
    "spec": {"name": "clean_up", "handler": {"container": {}}, "template": TEMPLATE},
}
ANSWER_SECONDS = 30.0


class MortalApi:
    """An API for one namespace of a cluster, which is asked over HTTP."""

    def __init__(self, kubeconfig: Path, ns: str, database: str, log: Path) -> None:
        self._log = log
        port = free_ports(1, ())[0]
        self._environment = os.environ | {
            "KUBECONFIG": str(kubeconfig),
            "SUNDIAL_NAMESPACE": ns,
            "SUNDIAL_WATCH_NAMESPACES": ns,
            "SUNDIAL_API_DATABASE_URL": database,
            "SUNDIAL_API_AUTH": "none",
            "SUNDIAL_API_PORT": str(port),
            "SUNDIAL_API_NAMESPACE": ns,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=ANSWER_SECONDS)

    def start(self) -> None:
        """Start the process, and wait until it has mirrored all."""
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "sundial_api"]
            self._process = subprocess.Popen(command, env=self._environment, stderr=log, stdout=log)
        self.until_synced()

    def until_synced(self, timeout: float = 180) -> None:
        """Wait until the process answers and mirrors."""
        until(lambda: "synced" in self.try_read("/readyz")[1], timeout)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to the process and wait for its end; return its exit status."""
        assert self._process is not None
        self._process.send_signal(how)
        status, self._process = self._process.wait(20), None
        return status

    def close(self) -> None:
        """End the process if it runs; it must end in order, which its server does by the signal itself."""
        self.http.close()
        if self._process is not None:
            assert self.end() == -signal.SIGTERM, self._log.read_text()
        assert "Traceback" not in self._log.read_text(), self._log.read_text()

    def try_read(self, path: str) -> tuple[int, str]:
        """Read a path; returns the status and the text, and 0 where nothing answers."""
        return self._try("GET", path)

    def read(self, path: str) -> int:
        """Read a path of the scheduler; returns the status, 0 where nothing answers."""
        return self._try("GET", f"{PREFIX}{path}")[0]

    def create(self, name: str) -> tuple[int, JsonObject]:
        """Create a job that never runs by itself; returns the status and the answer."""
        functions = {"taskFunctionId": self._function_id, "jobTypeId": 1, "scheduleConfig": {"days": 300}}
        status, text = self._try("POST", f"{PREFIX}/jobs", {"name": name} | functions)
        return status, json.loads(text) if text else {}

    def use_function(self, cluster: Cluster, ns: str) -> None:
        """Make the TaskFunction of the jobs that are created, and learn its number."""
        cluster.kubectl("apply", "-n", ns, "-f", "-", input=json.dumps(FUNCTION))
        path = f"{PREFIX}/task-functions"
        found = until(lambda: json.loads(self.try_read(path)[1])["taskFunctions"])
        self._function_id = found[0]["id"]

    def _try(self, method: str, path: str, body: JsonObject | None = None) -> tuple[int, str]:
        try:
            answer = self.http.request(method, path, json=body)
        except httpx.TransportError:
            return 0, ""
        return answer.status_code, answer.text
