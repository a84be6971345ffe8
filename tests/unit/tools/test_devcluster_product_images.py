"""How many images of earlier sources are kept?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sundial_devcluster.folders import images_folder
from sundial_devcluster.product_image import MOST_KEPT, Runtime, prune


def test_the_images_asked_for_last_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SUNDIAL_CACHE", str(tmp_path))
    images_folder().mkdir()
    archives = [images_folder() / f"sundial-slim-{number}.tar" for number in range(MOST_KEPT + 2)]
    others = [images_folder() / name for name in ("sundial-no-shell-1.tar", "box-1.tar")]
    for age, archive in enumerate([*archives, *others]):
        archive.touch()
        os.utime(archive, (1_000 - age, 1_000 - age))
    prune(Runtime.SLIM)
    assert set(images_folder().iterdir()) == {*archives[:MOST_KEPT], *others}
