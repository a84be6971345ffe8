"""python -m sundial_release: rehearse a release, make one, or write the list of licences."""

from __future__ import annotations

import argparse
import json
import secrets
import shlex
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console

from sundial_devcluster.builds import ensure_programs
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.product_image import SOURCES
from sundial_release.artifacts import (
    LocalImage,
    build_image,
    build_wheel,
    compare_layers,
    list_layers,
    package_chart,
)
from sundial_release.checks import Candidate, find_obstacles, find_tag_obstacles, read_candidate
from sundial_release.errors import ReleaseError
from sundial_release.licenses import build_page, find_refusals, read_shipped
from sundial_release.provenance import (
    Source,
    build_statement,
    find_builder,
    find_repository,
    hash_file,
    hash_locks,
)
from sundial_release.publishing import (
    Destination,
    build_commands,
    chart_command,
    check_destination,
    find_digest,
    sbom_commands,
    sign_commands,
)
from sundial_release.sboms import check_sbom, list_licenses, scan_command
from sundial_release.shell import Command, run, run_all

PAGE = SOURCES / "docs" / "licenses.md"
LOCK = SOURCES / "requirements.runtime.lock"
TARGET = SOURCES / "dist" / "release"
LATER = "sha256:DIGEST-OF-THE-PUSH"
console = Console(stderr=True)


def main() -> None:
    """Run one command; errors are a sentence on standard error and exit status 1."""
    arguments = build_parser().parse_args()
    try:
        arguments.run(arguments)
    except (ReleaseError, ClusterError) as error:
        console.print(f"error: {error}", markup=False, highlight=False)
        sys.exit(1)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="sundial_release", description="What a release is made of.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    rehearsal = commands.add_parser("rehearse", help="do all that needs no registry, print the rest")
    rehearsal.add_argument("--twice", action="store_true", help="build the image twice, and compare layers")
    rehearsal.set_defaults(run=_rehearse)
    release = commands.add_parser("publish", help="build, push, sign")
    release.set_defaults(run=_publish)
    for one in (rehearsal, release):
        one.add_argument("--registry", default="", help="where to push, with the path that is ours there")
        one.add_argument("--base", default="", help="the base image by digest: NAME@sha256:...")
    licenses = commands.add_parser("licenses", help="write docs/licenses.md")
    licenses.add_argument("--check", action="store_true", help="only tell whether it is as it should be")
    licenses.set_defaults(run=_write_licenses)
    return parser


def _rehearse(arguments: argparse.Namespace) -> None:
    """Go on where a release would stop, and say so at the end."""
    started = time.monotonic()
    candidate = read_candidate(SOURCES)
    obstacles = [*find_obstacles(candidate), *find_refusals(read_shipped(LOCK))]
    ensure_programs(["helm", "syft"], console)
    TARGET.mkdir(parents=True, exist_ok=True)
    wheel = build_wheel(candidate, TARGET)
    image = build_image(candidate, TARGET / "sundial-image.tar")
    if arguments.twice:
        _build_again(candidate, image)
    chart = package_chart(candidate, "sundial", image.digest, TARGET)
    sbom = TARGET / "sbom.cdx.json"
    run(scan_command(f"oci-archive:{image.archive}", sbom))
    print(f"{sbom.name} is valid and lists {check_sbom(sbom)}.")
    (TARGET / "licenses.md").write_text(list_licenses(json.loads(sbom.read_text())))
    subjects = {"sundial": image.digest, chart.name: hash_file(chart), wheel.name: hash_file(wheel)}
    _write_provenance(_describe_source(candidate, image.base, image.base_digest), subjects)
    _print_digests(subjects)
    destination = Destination(arguments.registry or "REGISTRY", arguments.base or "BASE@sha256:DIGEST")
    _print_rest(_list_rest(candidate, destination, chart))
    print(f"\nRehearsed {candidate.tag} in {time.monotonic() - started:.0f} s; everything is in {TARGET}.")
    for obstacle in obstacles:
        print(f"A release would be refused: {obstacle}")


def _build_again(candidate: Candidate, image: LocalImage) -> None:
    again = build_image(candidate, TARGET / "sundial-image-again.tar")
    print(compare_layers(list_layers(image.archive), list_layers(again.archive)))
    print(f"Digests: {image.digest}, {again.digest}")


def _publish(arguments: argparse.Namespace) -> None:
    """Stop at the first thing that is wrong, and before anything is pushed if it can be known."""
    destination = Destination(arguments.registry, arguments.base)
    check_destination(destination)
    candidate = read_candidate(SOURCES)
    obstacles = [*find_obstacles(candidate), *find_tag_obstacles(candidate)]
    obstacles += find_refusals(read_shipped(LOCK))
    if obstacles:
        raise ReleaseError("\n".join(obstacles))
    ensure_programs(["helm", "syft"], console)
    TARGET.mkdir(parents=True, exist_ok=True)
    wheel = build_wheel(candidate, TARGET)
    note = TARGET / "image.digest"
    note.unlink(missing_ok=True)
    run_all(build_commands(candidate, destination, _name_new(candidate), note))
    digest = find_digest(note.read_text() if note.exists() else "")
    chart = package_chart(candidate, destination.image, digest, TARGET)
    image_name = f"{destination.image}@{digest}"
    chart_name = f"{destination.chart}@{find_digest(run(chart_command(destination, chart)))}"
    for file, command in sbom_commands(image_name, TARGET).items():
        run(command)
        print(f"{file.name} is valid and lists {check_sbom(file)}.")
    subjects = {destination.image: digest, chart.name: hash_file(chart), wheel.name: hash_file(wheel)}
    base, _, base_digest = destination.base.partition("@")
    _write_provenance(_describe_source(candidate, base, base_digest), subjects)
    run_all(sign_commands(image_name, chart_name, TARGET))
    print(f"Released {candidate.tag}: {image_name}, {chart_name}")


def _list_rest(candidate: Candidate, destination: Destination, chart: Path) -> list[Command]:
    image, pushed = f"{destination.image}@{LATER}", f"{destination.chart}@{LATER}"
    return [
        *build_commands(candidate, destination, _name_new(candidate), TARGET / "image.digest"),
        chart_command(destination, chart),
        *sbom_commands(image, TARGET).values(),
        *sign_commands(image, pushed, TARGET),
    ]


def _name_new(candidate: Candidate) -> str:
    return f"localhost/sundial:{candidate.version}-{secrets.token_hex(4)}"


def _print_rest(commands: Iterable[Command]) -> None:
    print("\nA release would then run:")
    for command in commands:
        print(f"  {shlex.join(command)}")


def _describe_source(candidate: Candidate, base: str, base_digest: str) -> Source:
    return Source(
        repository=find_repository(),
        commit=candidate.commit,
        version=candidate.version,
        epoch=candidate.epoch,
        base=f"oci://{base}",
        base_digest=base_digest,
        locks=hash_locks(SOURCES),
    )


def _write_provenance(source: Source, subjects: Mapping[str, str]) -> None:
    """Write the statement, and its predicate alone: cosign makes the statement of it that it signs."""
    statement = build_statement(source, subjects, find_builder())
    written = {"provenance.json": statement, "provenance-predicate.json": statement["predicate"]}
    for name, value in written.items():
        (TARGET / name).write_text(json.dumps(value, indent=2) + "\n")


def _print_digests(subjects: Mapping[str, str]) -> None:
    for name, digest in subjects.items():
        print(f"{digest}  {name}")


def _write_licenses(arguments: argparse.Namespace) -> None:
    packages = read_shipped(LOCK)
    refusals = find_refusals(packages)
    if refusals:
        raise ReleaseError("\n".join(refusals))
    if not arguments.check:
        PAGE.write_text(build_page(packages))
    elif not PAGE.is_file() or PAGE.read_text() != build_page(packages):
        raise ReleaseError(f"{PAGE.relative_to(SOURCES)} is not what its sources give: run `make generate`.")
