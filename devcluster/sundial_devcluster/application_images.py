"""Which images do the service catalog's Pods have? Its application on Python and Celery, and a Redis.

They are made of this machine's Debian files, once for as long as these and the sources stay the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sundial_devcluster.debian_images import (
    PYTHON_PACKAGES,
    REDIS_PACKAGES,
    build_app_layer,
    build_debian_layer,
    build_site_layer,
    read_versions,
)
from sundial_devcluster.folders import images_folder, locked
from sundial_devcluster.images import build_archive

CATALOG = Path(__file__).parents[2] / "examples" / "service-catalog"
SYSTEM_PATH = "PATH=/usr/local/bin:/usr/bin:/bin"
PYTHON_CONFIG = {"Cmd": ["python3"], "Env": [SYSTEM_PATH, "LANG=C.UTF-8"], "WorkingDir": "/app"}
REDIS_CONFIG = {"Cmd": ["redis-server"], "Env": [SYSTEM_PATH], "WorkingDir": "/tmp"}
CATALOG_IMAGE = "localhost/service-catalog:1"
REDIS_IMAGE = "localhost/redis:1"


def ensure_catalog_image() -> Path:
    """Return the archive of the application; raises ClusterError where it cannot be made."""
    lock = CATALOG / "requirements.lock"
    return ensure_application_image(CATALOG_IMAGE, CATALOG / "app", lock)


def ensure_application_image(name: str, app: Path, lock: Path | None = None) -> Path:
    """Return the archive of a Python application in /app, on the packages that a lock file names."""

    def build() -> list[bytes]:
        site = [] if lock is None else [build_site_layer(lock)]
        return [build_debian_layer(PYTHON_PACKAGES), *site, build_app_layer(app)]

    files = sorted(path for path in app.rglob("*") if path.is_file() and path.suffix != ".pyc")
    sources = [f"{path.relative_to(app)} {_hash(path)}" for path in files] + ([_hash(lock)] if lock else [])
    return _ensure_archive(name, PYTHON_CONFIG, [*read_versions(PYTHON_PACKAGES), *sources], build)


def ensure_redis_image() -> Path:
    """Return the archive of Debian's Redis; raises ClusterError where it is not installed."""
    return _ensure_archive(
        REDIS_IMAGE, REDIS_CONFIG, read_versions(REDIS_PACKAGES), lambda: [build_debian_layer(REDIS_PACKAGES)]
    )


def _ensure_archive(
    name: str, config: dict[str, Any], parts: Sequence[str], build: Callable[[], list[bytes]]
) -> Path:
    """Return the archive of an image of these parts; processes that need the same wait for each other."""
    folder = images_folder()
    mark = hashlib.sha256("\n".join([name, *parts]).encode()).hexdigest()[:12]
    target = folder / f"{name.rpartition('/')[2].partition(':')[0]}-{mark}.tar"
    with locked(folder):
        if not target.exists():
            part = target.with_suffix(".part")
            part.write_bytes(build_archive(name, config, build()))
            part.replace(target)
    return target


def _hash(source: Path) -> str:
    return hashlib.sha256(source.read_bytes()).hexdigest()
