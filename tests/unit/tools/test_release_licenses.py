"""Under which licences is what ships, and is one refused that nobody has looked at?"""

from __future__ import annotations

from pathlib import Path

import pytest

from sundial_release.errors import ReleaseError
from sundial_release.licenses import (
    ShippedPackage,
    build_page,
    choose_license,
    find_refusals,
    parse_lock,
    read_shipped,
)

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "requirements.runtime.lock"


def test_all_that_ships_is_allowed_and_the_page_lists_it() -> None:
    shipped = read_shipped(LOCK)
    assert find_refusals(shipped) == []
    assert (ROOT / "docs" / "licenses.md").read_text() == build_page(shipped)


@pytest.mark.parametrize(
    ("name", "terms", "refused"),
    [
        ("new", "MIT", []),
        ("new", "MPL-2.0 AND (Apache-2.0 OR MIT)", []),
        ("new", "GPL-3.0-or-later", ["GPL-3.0-or-later"]),
        ("new", "MIT AND AGPL-3.0-only", ["AGPL-3.0-only"]),
        ("new", "MIT OR GPL-2.0-only", ["GPL-2.0-only"]),
        ("new", "LGPL-3.0-only", ["LGPL-3.0-only"]),
        ("psycopg", "LGPL-3.0-only", []),
        ("psycopg", "GPL-3.0-only", ["GPL-3.0-only"]),
    ],
)
def test_a_licence_that_is_not_allowed_is_refused_by_name(name: str, terms: str, refused: list[str]) -> None:
    assert find_refusals([ShippedPackage(name, "1.0", terms)]) == [
        f"{name} 1.0 is under {terms}, and {term} is not allowed: take another package, or add an exception"
        " with its reason to sundial_release/licenses.py."
        for term in refused
    ]


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["MIT"], "MIT"),
        (["mit and psf-2.0"], "MIT AND PSF-2.0"),
        (["Apache 2.0"], "Apache-2.0"),
        (["Copyright (c) ...\n\nPermission is hereby granted", "MIT License"], "MIT"),
        (["BSD License", "BSD-3-Clause"], "BSD-3-Clause"),
    ],
)
def test_the_first_text_that_names_a_licence_counts(texts: list[str], found: str) -> None:
    assert choose_license("new", texts) == found


@pytest.mark.parametrize("texts", [[], [""], ["BSD License"], ["UNKNOWN"]])
def test_a_package_whose_metadata_name_no_licence_is_refused(texts: list[str]) -> None:
    with pytest.raises(ReleaseError, match=r"^The metadata of new name no licence"):
        choose_license("new", texts)


def test_a_lock_lists_what_is_for_this_platform() -> None:
    lines = ('a==1.0 ; sys_platform == "win32" \\', "    --hash=sha256:1", "b==2.0 \\", "    # via a")
    text = "\n".join(lines)
    assert [str(one) for one in parse_lock(text)] == ["b==2.0"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pyyaml==0.0.1", r"^pyyaml==0.0.1 is pinned, \S+ is installed: run `make setup`.$"),
        ("no-such-package==1.0", r"^no-such-package==1.0 is not installed: run `make setup`.$"),
    ],
)
def test_what_is_not_installed_as_pinned_is_not_guessed(line: str, said: str, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text(line)
    with pytest.raises(ReleaseError, match=said):
        read_shipped(lock)
