"""Versions of objects: which of two says what is newer."""

from __future__ import annotations

from typing import NamedTuple


class Version(NamedTuple):
    """Of which life of the cluster's store, and which resourceVersion in it; compared as numbers."""

    epoch: int = 0
    number: int = 0


OLDEST = Version()
