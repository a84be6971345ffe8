"""How are images of applications made without a builder? From Debian's files on this machine, a layer each.

An image has the files of some packages with the libraries that they load, then what a lock file names, then
the application. Python is compiled: a root file system that is read-only could not keep what it compiles.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from sundial_devcluster.errors import ClusterError

PYTHON_PACKAGES = (
    "python3.11-minimal",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "python3-minimal",
    "dash",
    "ca-certificates",
    "tzdata",
)
REDIS_PACKAGES = ("redis-tools", "redis-server")
PYTHON = "/usr/bin/python3.11"
STANDARD_LIBRARY = "usr/lib/python3.11"
SITE = "usr/local/lib/python3.11/dist-packages"
APP = "app"
MERGED = ("bin", "lib", "lib64", "sbin")
"""What Debian has under /usr, with a link where it was."""
UNUSED = ("usr/share/doc/", "usr/share/man/", "usr/share/lintian/", "usr/share/bash-completion/", "etc/")
AUTHORITIES = "usr/share/ca-certificates"
BUNDLE = "etc/ssl/certs/ca-certificates.crt"
"""Made by Debian's ca-certificates of its own files, and on some machines of others."""
PEOPLE = {
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\napp:x:10001:10001:app:/tmp:/bin/sh\n",
    "etc/group": "root:x:0:\napp:x:10001:\n",
}


def build_debian_layer(packages: Iterable[str]) -> bytes:
    """Build a layer of installed packages, as a tar; raises ClusterError where one is not installed."""
    return _build_layer(lambda root: _copy_debian(root, packages))


def build_site_layer(lock: Path) -> bytes:
    """Build a layer of the Python packages that a lock file names, with hashes."""

    def install(root: Path) -> None:
        uv = Path(sys.executable).with_name("uv")
        options = ("--quiet", "--require-hashes", "--python", PYTHON)
        _run(uv, "pip", "install", *options, "--requirement", lock, "--target", root / SITE)
        _compile(root, SITE)

    return _build_layer(install)


def build_app_layer(app: Path) -> bytes:
    """Build a layer of an application's files, in /app."""

    def copy(root: Path) -> None:
        shutil.copytree(app, root / APP, ignore=shutil.ignore_patterns("__pycache__"))
        _compile(root, APP)

    return _build_layer(copy)


def read_versions(packages: Iterable[str]) -> list[str]:
    """Read the versions of installed packages; raises ClusterError where one is not installed."""
    show = "--showformat=${Package} ${Version}\\n"
    return _run("dpkg-query", "--show", show, *packages).splitlines()


def _build_layer(fill: Callable[[Path], None]) -> bytes:
    """Build a tar of what is filled into a folder; its bytes depend on paths, modes and contents alone."""
    data = io.BytesIO()
    with TemporaryDirectory() as folder, tarfile.open(fileobj=data, mode="w") as tar:
        root = Path(folder)
        fill(root)
        for path in sorted(root.rglob("*")):
            tar.add(path, str(path.relative_to(root)), recursive=False, filter=_forget_origin)
    return data.getvalue()


def _forget_origin(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime = entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _compile(root: Path, folder: str) -> None:
    """Compile what is imported from a folder, so that it holds whatever the time of the sources."""
    options = ("-q", "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/")
    _run(PYTHON, "-m", "compileall", *options, root / folder)


def _copy_debian(root: Path, packages: Iterable[str]) -> None:
    """Copy the files of packages, the libraries that they load, and what a system has besides."""
    found = {path: Path("/", path) for path in _list_files(packages)}
    found |= {_strip(library): Path(library).resolve() for library in _list_libraries(found.values())}
    for path, source in found.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / path, follow_symlinks=False)
    for folder in MERGED:
        (root / folder).symlink_to(f"usr/{folder}")
    (root / "tmp").mkdir(mode=0o777)
    (root / "tmp").chmod(0o1777)
    authorities = sorted((root / AUTHORITIES).rglob("*.crt"))
    texts = PEOPLE | {BUNDLE: "".join(file.read_text() for file in authorities)}
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    if (root / STANDARD_LIBRARY).exists():
        _compile(root, STANDARD_LIBRARY)


def _list_files(packages: Iterable[str]) -> Iterator[str]:
    """List the files and links of packages, as they are under /."""
    for line in _run("dpkg", "-L", *packages).splitlines():
        path = _strip(line)
        if not path.startswith(UNUSED) and (Path("/", path).is_symlink() or Path("/", path).is_file()):
            yield path


def _strip(path: str) -> str:
    """Write a path without its first slash, and under usr where Debian keeps it."""
    path = path.lstrip("/")
    return f"usr/{path}" if path.split("/")[0] in MERGED else path


def _list_libraries(files: Iterable[Path]) -> Iterator[str]:
    """List the libraries that programs and libraries load, the loader too (ldd(1))."""
    for line in _run("ldd", *filter(_is_program, files)).splitlines():
        yield from (word for word in line.split() if word.startswith("/") and not word.endswith(":"))


def _is_program(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as start:
        return start.read(4) == b"\x7fELF"


def _run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
