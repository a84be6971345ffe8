"""How is Sundial's own image built from its Dockerfile? By Docker where there is one, else by buildah.

buildah has no base image to pull here: one of Debian's Python is made by mmdebstrap, once. The archive of an
image is kept for as long as its sources stay the same.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sundial_devcluster.errors import ClusterError
from sundial_devcluster.folders import cache_root, images_folder, locked

SOURCES = Path(__file__).parents[2]
IMAGE = "localhost/sundial:1"
SHIPPED = ("core", "operator", "api", "runner", "alembic")
FILES = (
    "Dockerfile",
    "requirements.build.lock",
    "requirements.runtime.lock",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "devcluster/sundial_devcluster/product_image.py",
)
SUITE = "bookworm"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
PIP_CONF = f"[global]\ncert = {AUTHORITIES}\n"
UNUSED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
NEEDED = (
    "python3",
    "libpython3-stdlib",
    "libpython3.11-stdlib",
    "ca-certificates",
    "tzdata",
    "libssl3",
    "libsqlite3-0",
    "libstdc++6",  # of greenlet, without which the API does not load
)
"""Debian's packages of an image without a shell."""
TERMS = "/usr/share/doc/*/copyright"
"""What Debian's packages may be passed on under: it goes with them."""
NOT_RUN = (
    "/usr/share/man",
    "/usr/share/locale",
    "/usr/share/zoneinfo/right",
    "/usr/lib/*/gconv",
    "/usr/lib/python3.11/test",
    "/usr/lib/python3.11/pydoc_data",
    "/bin/*sh",
    "/bin/tar",
    "/usr/bin/dpkg*",
    "/usr/bin/openssl",
)
"""What is in Debian's packages of Python or those that they need, and is not needed without a shell."""
PATHS = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
PEOPLE = "root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"


class Runtime(StrEnum):
    """What an image has beside Python."""

    SLIM = "slim"
    NO_SHELL = "no-shell"


MOST_PULLED = {Runtime.SLIM: 110_000_000, Runtime.NO_SHELL: 70_000_000}
"""Bytes that a registry may send."""


MOST_KEPT = 3
"""Archives of each kind."""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image as an archive that Docker and containerd load."""

    name: str
    archive: Path

    def measure_pull(self) -> int:
        """Measure in bytes what a registry would send: the archive, compressed as layers are."""
        counter = _Counter()
        with (
            self.archive.open("rb") as source,
            gzip.GzipFile(fileobj=counter, mode="wb", compresslevel=6) as to,
        ):
            shutil.copyfileobj(source, to, 2**20)
        return counter.bytes


class _Counter:
    """Counts what is written."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is kept."""


def ensure_product_image(
    runtime: Runtime = Runtime.SLIM, name: str = IMAGE, report: Callable[[str], None] = lambda _: None
) -> BuiltImage:
    """Return the image, built unless its sources are those of one that is there; raises ClusterError."""
    mark = hashlib.sha256(
        "\n".join([name, runtime, *_describe_base(runtime), *_list_sources()]).encode()
    ).hexdigest()[:12]
    target = images_folder() / f"sundial-{runtime}-{mark}.tar"
    with locked(images_folder()):
        if not target.exists():
            report(f"building the image {name} (minutes at first, half a minute after a change)")
            part = target.with_suffix(".part")
            part.unlink(missing_ok=True)
            _build(runtime, name, part)
            part.replace(target)
        target.touch()
        prune(runtime)
    return BuiltImage(name, target)


def prune(runtime: Runtime) -> None:
    """Keep the images that were asked for last: each state of the sources has one of some 400 MB."""
    known = sorted(images_folder().glob(f"sundial-{runtime}-*.tar"), key=lambda one: one.stat().st_mtime)
    for old in known[:-MOST_KEPT]:
        old.unlink()


def _list_sources() -> Iterator[str]:
    """List what goes into the image, each file with its hash."""
    inside = (path for folder in SHIPPED for path in sorted((SOURCES / folder).rglob("*")))
    for path in (*(SOURCES / name for name in FILES), *inside):
        if path.is_file() and path.suffix != ".pyc":
            yield f"{path.relative_to(SOURCES)} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def has_docker() -> bool:
    """Tell whether there is a Docker that answers."""
    return shutil.which("docker") is not None and _succeeds("docker", "info")


def _build(runtime: Runtime, name: str, target: Path) -> None:
    if has_docker() and runtime is Runtime.SLIM:
        _run("docker", "build", "--tag", name, SOURCES)
        _run("docker", "save", "--output", target, name)
        return
    missing = [program for program in ("buildah", "mmdebstrap") if shutil.which(program) is None]
    if missing:
        raise ClusterError(
            f"{' and '.join(missing)} not found: `python -m sundial_devcluster packages` installs it."
        )
    builder = Buildah(cache_root() / "buildah")
    base = builder.ensure_base(Runtime.SLIM)
    builder.build(base, base if runtime is Runtime.SLIM else builder.ensure_base(runtime), name)
    builder.save(name, target)


class Buildah:
    """buildah with a storage of its own; without a daemon, as root, in a chroot."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = os.environ | {"STORAGE_DRIVER": "overlay", "BUILDAH_ISOLATION": "chroot"}
        folder.mkdir(parents=True, exist_ok=True)

    def ensure_base(self, runtime: Runtime) -> str:
        """Return the name of a base image of Debian's Python, made when there is none."""
        mark = hashlib.sha256("\n".join(_describe_base(runtime)).encode()).hexdigest()[:12]
        name = f"localhost/python-{runtime}:3.11-{mark}"
        if _succeeds(*self._command("inspect", "--type", "image", name)):
            return name
        root = self._folder / "base.tar"
        root.unlink(missing_ok=True)
        _run("mmdebstrap", *_describe_base(runtime), SUITE, root)
        container = self._run("from", "scratch").strip()
        self._run("add", "--quiet", container, root, "/")
        self._run("config", "--env", PATHS, "--cmd", "python3", container)
        self._run("commit", "--quiet", "--rm", container, name)
        root.unlink()
        return name

    def build(self, base: str, runtime: str, name: str, *more: str) -> None:
        """Build the Dockerfile; what this machine trusts is mounted meanwhile, and left out of the image.

        `more` are further options of buildah's.
        """
        pip = self._folder / "pip.conf"
        pip.write_text(PIP_CONF)
        mounts = ("--volume", f"{AUTHORITIES}:{AUTHORITIES}:ro", "--volume", f"{pip}:/etc/pip.conf:ro")
        arguments = ("--build-arg", f"BASE={base}", "--build-arg", f"RUNTIME={runtime}")
        options = ("--layers", "--pull-never", "--network", "host", "--ignorefile", SOURCES / ".dockerignore")
        self._run("bud", *options, *arguments, *mounts, *more, "--tag", name, SOURCES)

    def save(self, name: str, target: Path) -> None:
        """Write an image as an archive."""
        self._run("push", "--quiet", name, f"docker-archive:{target}:{name}")

    def export(self, name: str, target: Path) -> str:
        """Write an image as an OCI archive, compressed as a registry keeps it; return its digest."""
        note = target.with_suffix(".digest")
        self._run("push", "--quiet", "--digestfile", note, name, f"oci-archive:{target}:{name}")
        return note.read_text().strip()

    def read_digest(self, name: str) -> str:
        """Read the digest of an image that is in the storage."""
        return self._run("inspect", "--type", "image", "--format", "{{.FromImageDigest}}", name).strip()

    def _command(self, *arguments: object) -> list[object]:
        storage = ("--root", self._folder / "storage", "--runroot", self._folder / "run")
        return ["buildah", *storage, *arguments]

    def _run(self, *arguments: object) -> str:
        return _run(*self._command(*arguments), environment=self._environment)


def _describe_base(runtime: Runtime) -> Sequence[str]:
    """Describe a root file system to mmdebstrap."""
    if runtime is Runtime.SLIM:
        chosen = [*(f"--dpkgopt=path-exclude={path}" for path in UNUSED), f"--dpkgopt=path-include={TERMS}"]
        packages = "python3,python3-venv,ca-certificates"
        return ["--quiet", "--variant=minbase", f"--include={packages}", *chosen]
    hooks = [
        "rm -rf " + " ".join(f'"$1"{path}' for path in NOT_RUN),
        'find "$1"/usr/share/doc -type f ! -name copyright -delete',
        f"printf '{PEOPLE}' > \"$1\"/etc/passwd",
        'mkdir -p "$1"/tmp "$1"/etc/ssl/certs && chmod 1777 "$1"/tmp',
    ]
    extracted = [f"--extract-hook={hook}" for hook in hooks]
    return ["--quiet", "--variant=extract", f"--include={','.join(NEEDED)}", *extracted]


def _succeeds(*command: object) -> bool:
    done = subprocess.run([str(part) for part in command], capture_output=True, check=False)
    return done.returncode == 0


def _run(*command: object, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode != 0:
        tail = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-15:])
        raise ClusterError(f"{command[0]} failed:\n{tail}")
    return done.stdout
