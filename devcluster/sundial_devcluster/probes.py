"""Does a server answer, and what? One verified TLS request with a client certificate."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Access:
    """Hold a server's URL and what proves either side to the other."""

    server: str
    authority: Path
    certificate: Path
    key: Path


@dataclass(frozen=True)
class Probe:
    """Name a path that answers 200 when the server is ready."""

    access: Access
    path: str


@dataclass(frozen=True)
class CommandProbe:
    """Name a command, run where the component runs, that succeeds when the component is ready."""

    argv: tuple[str, ...]


def is_ready(probe: Probe) -> bool:
    """Tell whether the server answers 200; a server that does not listen is not ready."""
    try:
        return fetch(probe.access, probe.path)[0] == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False


def get_json(access: Access, path: str) -> Any:
    """Return the parsed answer; raise OSError on anything but 200."""
    status, body = fetch(access, path)
    if status != http.HTTPStatus.OK:
        raise OSError(f"{access.server}{path} answered {status}")
    return json.loads(body)


def fetch(access: Access, path: str) -> tuple[int, bytes]:
    """Return status and body of a GET."""
    context = ssl.create_default_context(cafile=str(access.authority))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(access.certificate, access.key)
    address = urlsplit(access.server)
    connection = http.client.HTTPSConnection(
        address.hostname or "", address.port or 443, timeout=5, context=context
    )
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
