"""With which commands is a release published? Each as it is run, or printed by a rehearsal.

buildah builds and pushes, helm pushes the chart, syft lists what is in the image, cosign signs with the
identity of the workflow that runs it. Everything is signed by digest: a tag may be moved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sundial_devcluster.product_image import SOURCES
from sundial_devcluster.programs import locate_programs
from sundial_release.artifacts import image_options
from sundial_release.checks import Candidate
from sundial_release.errors import ReleaseError
from sundial_release.sboms import scan_command
from sundial_release.shell import Command

PLATFORMS = ("linux/amd64", "linux/arm64")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a release goes, a registry with the path that is ours there, and the base image by digest."""

    registry: str
    base: str

    @property
    def image(self) -> str:
        """The image without tag or digest."""
        return f"{self.registry}/sundial"

    @property
    def chart(self) -> str:
        """The chart's repository without tag or digest; Helm adds the chart's name to its folder."""
        return f"{self.registry}/charts/sundial"


def check_destination(destination: Destination) -> None:
    """Raise ReleaseError if something is missing that the files of the project must not know."""
    if not re.fullmatch(r"[^\s/:]+(:\d+)?(/[^\s/:]+)*", destination.registry):
        raise ReleaseError(
            "Say where to push, without scheme and without slash at the end: `make release"
            " REGISTRY=registry.example/team BASE=...`."
        )
    if not re.search(r"@sha256:[0-9a-f]{64}$", destination.base):
        raise ReleaseError(
            "The base image is pinned by digest: BASE=python:3.13-slim-bookworm@sha256:...;"
            " `skopeo inspect` tells the digest."
        )


def build_commands(candidate: Candidate, destination: Destination, name: str, note: Path) -> list[Command]:
    """Return the commands that build the image for all platforms and push it, noting its digest.

    What is built is added to what is locally of that name: it has to be new.
    """
    arguments = ("--build-arg", f"BASE={destination.base}", "--ignorefile", str(SOURCES / ".dockerignore"))
    platforms = ("--platform", ",".join(PLATFORMS), "--manifest", name)
    tagged = f"docker://{destination.image}:{candidate.version}"
    return [
        ("buildah", "bud", "--no-cache", *platforms, *arguments, *image_options(candidate), str(SOURCES)),
        ("buildah", "manifest", "push", "--all", "--digestfile", str(note), name, tagged),
    ]


def chart_command(destination: Destination, package: Path) -> Command:
    """Return the command that pushes the chart; it says its digest."""
    helm = str(locate_programs(["helm"])["helm"])
    return (helm, "push", str(package), f"oci://{destination.chart.removesuffix('/sundial')}")


def find_digest(output: str) -> str:
    """Find the digest in what a push says; raises ReleaseError."""
    found = re.search(r"sha256:[0-9a-f]{64}", output)
    if not found:
        raise ReleaseError(f"The push told no digest, so it has failed: {output.strip()[:200]}")
    return found[0]


def name_sbom(platform: str) -> str:
    """Return the file of a platform's bill of materials."""
    return f"sbom-{platform.replace('/', '-')}.cdx.json"


def sbom_commands(image: str, target: Path) -> dict[Path, Command]:
    """Return the commands that list what is in a pushed image, each with the file that it writes."""
    files = {target / name_sbom(platform): platform for platform in PLATFORMS}
    return {
        file: scan_command(f"registry:{image}", file, "--platform", platform)
        for file, platform in files.items()
    }


def sign_commands(image: str, chart: str, target: Path) -> list[Command]:
    """Return the commands that sign image and chart, both by digest, and what is said of them."""
    predicate = str(target / "provenance-predicate.json")
    said = [(name, "slsaprovenance1", predicate) for name in (image, chart)]
    said += [(image, "cyclonedx", str(target / name_sbom(platform))) for platform in PLATFORMS]
    signs: list[Command] = [("cosign", "sign", "--yes", name) for name in (image, chart)]
    attests: list[Command] = [
        ("cosign", "attest", "--yes", "--type", kind, "--predicate", file, name) for name, kind, file in said
    ]
    return [*signs, *attests]
