"""Where do programs, clusters and build caches live? Everything is under one cache folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_root() -> Path:
    """Return $SUNDIAL_CACHE, or ~/.cache/sundial."""
    chosen = os.environ.get("SUNDIAL_CACHE")
    return Path(chosen).absolute() if chosen else Path.home() / ".cache" / "sundial"


def programs_folder() -> Path:
    """Return the folder of the built programs and their stamps."""
    return cache_root() / "bin"


def clusters_folder() -> Path:
    """Return the folder that holds one folder per cluster."""
    return cache_root() / "clusters"


def cluster_folder(name: str) -> Path:
    """Return the folder that holds all of one cluster."""
    return clusters_folder() / name


def images_folder() -> Path:
    """Return the folder of the container images that are made once for all clusters."""
    return cache_root() / "images"


def build_cache_folder() -> Path:
    """Return the Go build cache, which may be dropped at any time."""
    return cache_root() / "gocache"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if need be; other processes wait."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
