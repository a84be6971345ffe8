"""Can the API listen where it is told to? It is asked before anything begins."""

from __future__ import annotations

import errno
import socket


def find_obstacle(host: str, port: int) -> str | None:
    """Say why nothing can listen there, and which setting to change; None where nothing is in the way."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        is_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
        advice = (
            "set SUNDIAL_API_PORT to another port" if is_port else "set SUNDIAL_API_HOST to an own address"
        )
        return f"cannot listen at {host}:{port}: {error.strerror}; {advice}"
    return None
