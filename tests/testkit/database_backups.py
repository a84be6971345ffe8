"""Backups of a database by Postgres' own programs, put back in place while others are connected."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sundial_devcluster.postgres import Postgres


class DatabaseBackup:
    """A dump of a database, taken when it is made."""

    def __init__(self, postgres: Postgres, url: str, file: Path) -> None:
        self._postgres, self._url, self._file = postgres, url, file
        self._run("pg_dump", "--format=custom", f"--file={file}", url)

    def restore(self) -> None:
        """Put it back into the same database, in one transaction; sessions live on."""
        how = ("--clean", "--if-exists", "--single-transaction", f"--dbname={self._url}")
        self._run("pg_restore", *how, str(self._file))

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._postgres.programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
