"""Are the images of the real node complete docker-archives of a program that can run alone?"""

import hashlib
import io
import json
import struct
import tarfile

import pytest

from sundial_devcluster.images import BOX, build_archive, is_static

LOAD, DYNAMIC, INTERPRETER = 1, 2, 3


def elf(*segments: int) -> bytes:
    header = b"\x7fELF".ljust(32, b"\0") + struct.pack("<QQIHHH", 64, 0, 0, 64, 56, len(segments))
    return header.ljust(64, b"\0") + b"".join(struct.pack("<I", kind).ljust(56, b"\0") for kind in segments)


@pytest.mark.parametrize("segments", [(LOAD,), (LOAD, DYNAMIC)], ids=["static", "static-pie"])
def test_program_without_a_loader_is_static(segments: tuple[int, ...]) -> None:
    assert is_static(elf(*segments))


def test_program_that_needs_a_loader_is_not_static() -> None:
    assert not is_static(elf(LOAD, INTERPRETER, DYNAMIC))


def test_archive_names_its_image_and_its_layers() -> None:
    archive = build_archive(BOX, {"Cmd": ["/bin/sh"]}, [b"system", b"application"])
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    (manifest,) = json.loads(files["manifest.json"])
    config = json.loads(files[manifest["Config"]])
    assert manifest["RepoTags"] == [BOX]
    assert config["config"] == {"Cmd": ["/bin/sh"]}
    layers = [files[name] for name in manifest["Layers"]]
    assert layers == [b"system", b"application"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
