"""Which Python do Celery's workers and their runs have? One of its own with the examples' lock, made once."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from sundial_devcluster.folders import cache_root, locked

LOCK = Path(__file__).parents[3] / "examples" / "service-catalog" / "requirements.lock"


def ensure_python() -> Path:
    """Return the Python of the environment, which is made when there is none of this lock and Python yet."""
    folder = cache_root() / "celery" / hash_world()
    with locked(folder.parent):
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            _run("venv", "--quiet", "--python", sys.executable, "--relocatable", str(part))
            python = str(part / "bin" / "python")
            _run(
                "pip",
                "install",
                "--quiet",
                "--compile-bytecode",
                "--python",
                python,
                "--require-hashes",
                "-r",
                str(LOCK),
            )
            part.rename(folder)
    return folder / "bin" / "python"


def hash_world() -> str:
    """Hash what the environment is made of."""
    return hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments], check=True)
