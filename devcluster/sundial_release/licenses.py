"""Under which licences are the Python packages that the image ships, and may all of them be passed on?

Which packages, requirements.runtime.lock says; their licences, the metadata of those that are installed.
Those of Debian's packages are in the image itself, and in its bill of materials.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement

from sundial_release.errors import ReleaseError

ALLOWED = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0"}
"""What may be passed on with software under Apache-2.0; MPL-2.0 as long as its own files are not changed."""
LIBRARY = "used as a library, installed beside the product as a package of its own that anybody can replace"
EXCEPTIONS = {("psycopg", "LGPL-3.0-only"): LIBRARY, ("psycopg-binary", "LGPL-3.0-only"): LIBRARY}
"""Packages that may be passed on under one more licence, each with the reason."""
OLD_NAMES = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""Licences as older metadata have them; "BSD License" is none, it may be any of three."""
HEAD = """# Licences of what ships

Sundial itself is Apache-2.0. This page is written by `make generate` from `requirements.runtime.lock` and the
metadata of each package; a unit test fails when it is old, and when a licence is not among those allowed.

What the image has of Debian is listed in its bill of materials ([releasing.md](releasing.md)); their terms
are in the image, in `/usr/share/doc/*/copyright`. The wheels of some packages bring libraries in C or Rust,
whose terms are in those wheels.

"""


@dataclass(frozen=True, slots=True, order=True)
class ShippedPackage:
    """A Python package as it is in the image; `license` is an SPDX expression."""

    name: str
    version: str
    license: str


def read_shipped(lock: Path) -> list[ShippedPackage]:
    """Read what a lock ships on this platform; raises ReleaseError if something else is installed."""
    return sorted(_read_package(one) for one in parse_lock(lock.read_text()))


def parse_lock(text: str) -> Iterator[Requirement]:
    """Parse the packages of a lock that are for this platform."""
    for line in text.splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            requirement = Requirement(line.rstrip(" \\"))
            if requirement.marker is None or requirement.marker.evaluate():
                yield requirement


def _read_package(requirement: Requirement) -> ShippedPackage:
    try:
        told = metadata(requirement.name)
    except PackageNotFoundError:
        raise ReleaseError(f"{requirement} is not installed: run `make setup`.") from None
    version = told["Version"]
    if not requirement.specifier.contains(version, prereleases=True):
        raise ReleaseError(f"{requirement} is pinned, {version} is installed: run `make setup`.")
    classifiers = [one.rsplit(" :: ", 1)[-1] for one in told.get_all("Classifier", []) if "License ::" in one]
    texts = [*told.get_all("License-Expression", []), *told.get_all("License", []), *classifiers]
    return ShippedPackage(requirement.name, version, choose_license(requirement.name, texts))


def choose_license(name: str, texts: Iterable[str]) -> str:
    """Return the first of the texts that is an SPDX expression or an old name of one; raises ReleaseError."""
    for text in texts:
        try:
            return str(canonicalize_license_expression(OLD_NAMES.get(text, text)))
        except InvalidLicenseExpression:
            continue
    raise ReleaseError(f"The metadata of {name} name no licence: read its licence file, and name it here.")


def find_refusals(packages: Iterable[ShippedPackage]) -> list[str]:
    """Tell in one sentence each which packages are under a licence that is not allowed."""
    return [
        f"{package.name} {package.version} is under {package.license}, and {term} is not allowed:"
        " take another package, or add an exception with its reason to sundial_release/licenses.py."
        for package in packages
        for term in sorted(_name_licenses(package.license) - ALLOWED)
        if (package.name, term) not in EXCEPTIONS
    ]


def _name_licenses(expression: str) -> set[str]:
    """Name all of an expression: also of alternatives each has to be allowed, or be an exception."""
    return set(re.findall(r"[^\s()]+", expression)) - {"AND", "OR", "WITH"}


def build_page(packages: Iterable[ShippedPackage]) -> str:
    """Build docs/licenses.md."""
    rows = "".join(f"| {one.name} | {one.version} | {one.license} |\n" for one in packages)
    reasons = "".join(f"- {name}, {term}: {reason}.\n" for (name, term), reason in EXCEPTIONS.items())
    allowed = ", ".join(sorted(ALLOWED))
    table = f"| package | version | licence |\n|---|---|---|\n{rows}"
    return f"{HEAD}Allowed are {allowed}, and by exception:\n\n{reasons}\n{table}"
