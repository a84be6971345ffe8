"""How does the API stop? At once, with a last word on each stream, and without an error in its log."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import httpx
import pytest

from sundial_devcluster.polling import until

STOP_SECONDS = 30
TRIES = 5
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "nowhere",
    "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
    "clusters": [{"name": "nowhere", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "nobody", "user": {}}],
}


class LonelyApi:
    """The command of the API, with a database and without a cluster."""

    def __init__(self, database: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (folder / "kubeconfig").write_text(json.dumps(KUBECONFIG))
        own = {name: value for name, value in os.environ.items() if not name.startswith("SUNDIAL_")}
        own |= {"KUBECONFIG": str(folder / "kubeconfig"), "SUNDIAL_API_DATABASE_URL": database}
        own |= {"SUNDIAL_API_PORT": str(port), "SUNDIAL_API_AUTH": "none", "SUNDIAL_NAMESPACE": "default"}
        self.url, self.log = f"http://127.0.0.1:{port}", folder / "api.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sundial_api"], env=own, stdout=out, stderr=out
            )

    def is_ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, ConnectionError, TimeoutError):
            return False


@pytest.fixture
def api(fresh_database: str, tmp_path: Path) -> Iterator[LonelyApi]:
    running = LonelyApi(fresh_database, tmp_path)
    try:
        until(running.is_ready)
        yield running
    finally:
        running.process.kill()
        running.process.wait(20)


@contextmanager
def follow(api: LonelyApi) -> Iterator[Iterator[str]]:
    """Follow the events; on a busy machine the database may be too slow for a first answer or two."""
    with httpx.Client(timeout=30) as caller:
        for _ in range(TRIES):
            with caller.stream("GET", f"{api.url}/api/v1/scheduler/events") as stream:
                if stream.status_code == 200:
                    lines = stream.iter_lines()
                    assert next(lines).startswith("retry: ")
                    yield lines
                    return
        pytest.fail(f"no stream in {TRIES} tries")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_streams_with_a_last_word(api: LonelyApi, number: signal.Signals) -> None:
    with follow(api) as lines:
        api.process.send_signal(number)
        rest = list(lines)  # a stream that is cut off raises RemoteProtocolError
    assert [line for line in rest if line][-1] == ": this replica of the API stops; come back to another one"
    assert api.process.wait(STOP_SECONDS) in (0, -number)
    log = api.log.read_text()
    assert "Application shutdown complete" in log
    assert not [word for word in ("Traceback", "Exception in ASGI", "Cancel ") if word in log]


def test_a_second_signal_ends_the_process_without_a_traceback(api: LonelyApi) -> None:
    with follow(api):
        api.process.send_signal(signal.SIGINT)
        until(lambda: "Shutting down" in api.log.read_text())
        api.process.send_signal(signal.SIGINT)
        assert api.process.wait(STOP_SECONDS) in (0, -signal.SIGINT)
    assert "Traceback" not in api.log.read_text()
