"""Which container images does a real node come with? A pause and a `box` image of one static busybox."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sundial_devcluster.errors import ClusterError
from sundial_devcluster.folders import images_folder

PAUSE = "localhost/pause:1"
BOX = "localhost/box:1"
COMMANDS = {PAUSE: ["/bin/sleep", "2147483647"], BOX: ["/bin/sh"]}
NEEDS_LOADER = 3
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def ensure_images() -> list[Path]:
    """Return the archives of both images, made when this busybox has none yet."""
    found = shutil.which("busybox")
    if found is None:
        raise ClusterError("busybox is missing: `python -m sundial_devcluster packages` installs it.")
    busybox = Path(found)
    mark = hashlib.sha256(busybox.read_bytes()).hexdigest()[:12]
    images_folder().mkdir(parents=True, exist_ok=True)
    return [_ensure_image(name, busybox, images_folder() / f"{_short(name)}-{mark}.tar") for name in COMMANDS]


def is_static(program: bytes) -> bool:
    """Tell whether a 64-bit ELF program runs in an image alone: no segment names a loader (elf(5))."""
    table = int.from_bytes(program[32:40], "little")
    size, count = struct.unpack_from("<HH", program, 54)
    kinds = (struct.unpack_from("<I", program, table + size * number)[0] for number in range(count))
    return NEEDS_LOADER not in kinds


def _short(name: str) -> str:
    return name.rpartition("/")[2].partition(":")[0]


def _ensure_image(name: str, busybox: Path, target: Path) -> Path:
    if not target.exists():
        part = target.with_suffix(".part")
        config = {"Cmd": COMMANDS[name], "Env": ["PATH=/bin"]}
        part.write_bytes(build_archive(name, config, [build_layer(busybox)]))
        part.replace(target)
    return target


def build_layer(busybox: Path) -> bytes:
    """Return a root file system as a tar: busybox and a link for each of its commands."""
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for folder in ("bin", "tmp", "etc", "proc", "dev", "sys"):
            _add(tar, _entry(folder, tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755))
        _add(tar, _entry("bin/busybox", tarfile.REGTYPE, 0o755), busybox.read_bytes())
        for applet in applets:
            if applet != "busybox":
                _add(tar, _entry(f"bin/{applet}", tarfile.SYMTYPE, 0o777, "busybox"))
    return data.getvalue()


def build_archive(name: str, config: dict[str, Any], layers: Sequence[bytes]) -> bytes:
    """Return an image as a docker-archive; `config` is what its containers run, in Docker's words."""
    described = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_hash(layer)}" for layer in layers]},
        "history": [],
    }
    files = [f"layer-{number}.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": files}]
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for file, content in (("config.json", described), ("manifest.json", manifest)):
            _add(tar, _entry(file, tarfile.REGTYPE, 0o644), json.dumps(content).encode())
        for file, layer in zip(files, layers, strict=True):
            _add(tar, _entry(file, tarfile.REGTYPE, 0o644), layer)
    return data.getvalue()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _entry(name: str, kind: bytes, mode: int, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname = kind, mode, link
    return entry


def _add(tar: tarfile.TarFile, entry: tarfile.TarInfo, data: bytes = b"") -> None:
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))
