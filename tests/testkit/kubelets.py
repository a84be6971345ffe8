"""A node of a real control plane of which a test plays the kubelet: it says what containers wrote."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from sundial_devcluster.cluster import Cluster


@dataclass
class PlayedKubelet:
    """Answers the API server about logs, each with the whole log, whatever part of it was asked for."""

    node: str
    logs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """By namespace and container."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """The namespace and Pod of each question."""
    status: int = 200
    frozen: set[str] = field(default_factory=set)
    """Namespaces of which nothing is answered before `thawed`."""
    thawed: Event = field(default_factory=Event)

    def answer(self, path: str) -> tuple[int, bytes]:
        """Answer a question; returns status and body."""
        ns, pod, container = path.removeprefix("/containerLogs/").split("/")
        self.asked.append((ns, pod))
        if ns in self.frozen:
            self.thawed.wait()
        return (
            (200, self.logs[ns, container]) if self.status == 200 else (self.status, b"refused by the test")
        )


class _Server(ThreadingHTTPServer):
    def __init__(self, address: tuple[str, int], kubelet: PlayedKubelet, tls: ssl.SSLContext) -> None:
        super().__init__(address, _Handler)
        self.kubelet = kubelet
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, *_: Any) -> None:
        """Say nothing: who asked has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        status, body = self.server.kubelet.answer(urlsplit(self.path).path)
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def play_kubelet(cluster: Cluster, name: str) -> Iterator[PlayedKubelet]:
    """Make a Node, and play its kubelet until the block ends."""
    kubelet = PlayedKubelet(name)
    pki, host = cluster.folder / "pki", cluster.state.addresses.host
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pki / "kubelet-server.crt", pki / "kubelet-server.key")
    with _Server((host, 0), kubelet, tls) as server:
        serving = Thread(target=server.serve_forever, name="kubelet")
        serving.start()
        status = {
            "addresses": [{"type": "InternalIP", "address": host}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": server.server_port}},
        }
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}
        cluster.kubectl("create", "-f", "-", input=json.dumps(node))
        try:
            yield kubelet
        finally:
            kubelet.thawed.set()
            cluster.kubectl("delete", "node", name)
            server.shutdown()
            serving.join()
