"""Where is the API? The base path, and what under it and beside it is answered without a token."""

from __future__ import annotations

PREFIX = "/api/v1/scheduler"
SETTINGS = f"{PREFIX}/settings"

PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""What probes and Prometheus read; it says nothing of any job."""


def is_open(method: str, path: str) -> bool:
    """Tell whether a request needs no identified caller: a probe, or what a client reads before sign-in."""
    return path in PROBES or (method == "GET" and path == SETTINGS)
