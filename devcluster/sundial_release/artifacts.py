"""What is built before anything is published: the wheel, an image of this machine's kind, and the chart."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sundial_devcluster.folders import cache_root
from sundial_devcluster.product_image import SOURCES, Buildah, Runtime
from sundial_devcluster.programs import locate_programs
from sundial_release.checks import Candidate
from sundial_release.errors import ReleaseError
from sundial_release.shell import run


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image that no registry has: an OCI archive, its digest, and what it was built on."""

    archive: Path
    digest: str
    base: str
    base_digest: str


def build_wheel(candidate: Candidate, target: Path) -> Path:
    """Build the product's wheel; the same commit gives the same bytes.

    Its name has the version as Python writes it: 0.2.0rc1 for 0.2.0-rc.1.
    """
    for old in target.glob("*.whl"):
        old.unlink()
    options = ("--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(target))
    run((sys.executable, "-m", "pip", "wheel", *options, str(SOURCES)), candidate.epoch)
    (wheel,) = target.glob("*.whl")
    return wheel


def build_image(candidate: Candidate, target: Path) -> LocalImage:
    """Build the image for this machine on a base of Debian's Python, each step anew.

    From steps that are kept the layers would be the same, the digest not: it covers their history.
    """
    builder = Buildah(cache_root() / "buildah")
    base = builder.ensure_base(Runtime.SLIM)
    name = f"localhost/sundial:{candidate.version}"
    builder.build(base, base, name, "--no-cache", *image_options(candidate))
    target.unlink(missing_ok=True)
    return LocalImage(target, builder.export(name, target), base, builder.read_digest(base))


def image_options(candidate: Candidate) -> tuple[str, ...]:
    """Return what makes an image the commit's: its time in place of the clock's, and labels that name it."""
    labels = {"version": candidate.version, "revision": candidate.commit}
    marks = [f"--label=org.opencontainers.image.{key}={value}" for key, value in labels.items()]
    return (f"--timestamp={candidate.epoch}", *marks)


def list_layers(archive: Path) -> list[str]:
    """List the digests of the layers in an OCI archive, the lowest first."""
    with tarfile.open(archive) as tar:
        index = json.load(_open(tar, "index.json"))
        manifest = index["manifests"][0]["digest"].replace(":", "/")
        layers = json.load(_open(tar, f"blobs/{manifest}"))["layers"]
    return [layer["digest"] for layer in layers]


def _open(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    file = tar.extractfile(name)
    if file is None:
        raise ReleaseError(f"The archive of the image has no {name}.")
    return file


def package_chart(candidate: Candidate, repository: str, digest: str, target: Path) -> Path:
    """Package the chart with the image that it installs, by digest; the same commit gives the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "sundial"
        shutil.copytree(SOURCES / "charts" / "sundial", copy)
        values = copy / "values.yaml"
        values.write_text(write_image(values.read_text(), repository, digest))
        for path in copy.rglob("*"):
            os.utime(path, (candidate.epoch, candidate.epoch))
        helm = str(locate_programs(["helm"])["helm"])
        run((helm, "package", str(copy), "--destination", str(target)), candidate.epoch)
    return target / f"sundial-{candidate.version}.tgz"


def write_image(values: str, repository: str, digest: str) -> str:
    """Write repository and digest into the text of the chart's values; raises ReleaseError."""
    for key, value in (("repository", repository), ("digest", digest)):
        values, count = re.subn(
            rf"(?m)^(image:\n(?:(?:  .*)?\n)*?  {key}: ).*$", rf"\g<1>{json.dumps(value)}", values
        )
        if count != 1:
            raise ReleaseError(f"image.{key} is not in the chart's values.yaml.")
    return values


def compare_layers(first: Sequence[str], second: Sequence[str]) -> str:
    """Tell in a sentence whether two builds gave the same layers."""
    same = sum(one == other for one, other in zip(first, second, strict=False))
    if list(first) == list(second):
        return f"Built twice, the image has the same {same} layers."
    return f"Built twice, {same} of {max(len(first), len(second))} layers are the same."
