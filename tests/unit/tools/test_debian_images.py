"""Do layers of Debian's files hold what a program needs, and are they the same whenever they are built?"""

import io
import tarfile
from pathlib import Path

import pytest

from sundial_devcluster.debian_images import PYTHON, build_app_layer, build_debian_layer, read_versions
from sundial_devcluster.errors import ClusterError

pytestmark = pytest.mark.skipif(not Path(PYTHON).exists(), reason="needs Debian 12's Python and dpkg")


def list_entries(layer: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        return {entry.name: entry for entry in tar.getmembers()}


def test_a_program_comes_with_what_it_loads() -> None:
    entries = list_entries(build_debian_layer(["dash"]))
    libraries = [name for name in entries if name.endswith("/libc.so.6")]
    assert [entries[name].isfile() for name in ("usr/bin/dash", *libraries)] == [True, True]
    assert {entries[name].linkname for name in ("bin", "lib", "lib64")} == {"usr/bin", "usr/lib", "usr/lib64"}
    assert any("ld-linux" in name for name in entries)
    assert entries["tmp"].mode == 0o1777
    assert entries["usr/bin/sh"].linkname == "dash"


def test_an_application_is_compiled_and_has_no_date(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "one.py").write_text("x = 1\n")
    first = build_app_layer(tmp_path)
    (tmp_path / "tasks" / "one.py").touch()
    assert build_app_layer(tmp_path) == first
    entries = list_entries(first)
    assert sorted(name for name in entries if entries[name].isfile()) == [
        "app/tasks/__pycache__/one.cpython-311.pyc",
        "app/tasks/one.py",
    ]
    assert {entry.mtime for entry in entries.values()} == {0}


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(ClusterError, match="no-such-package"):
        read_versions(["no-such-package"])
