"""Writes generated files, or shows how those that are there differ."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from pathlib import Path


def write_files(files: Mapping[Path, str]) -> int:
    """Write files by their paths; returns the exit status."""
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        sys.stdout.write(f"{path}: {len(text.encode())} bytes\n")
    return 0


def check_files(files: Mapping[Path, str]) -> int:
    """Print how the files that are there differ; returns the exit status, 1 where one does."""
    differences = [line for path, text in files.items() for line in _compare(path, text)]
    sys.stdout.writelines(differences)
    return 1 if differences else 0


def _compare(path: Path, wanted: str) -> list[str]:
    stored = path.read_text() if path.exists() else ""
    return list(
        difflib.unified_diff(
            stored.splitlines(keepends=True),
            wanted.splitlines(keepends=True),
            str(path),
            f"{path} (generated)",
        )
    )
