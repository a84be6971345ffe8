"""What the answer about namespaces looks like."""

from __future__ import annotations

from sundial_api.http.wire import WireModel


class NamespaceListResponse(WireModel):
    """The namespaces that a caller may list jobs in, by name."""

    namespaces: list[str]
    is_complete: bool
    """False while it is still being found which ones those are: ask again in a moment."""
