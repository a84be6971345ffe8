"""Is what is mounted into Pods small, and the same wherever it is made?"""

import ast
import sys
import zipfile
import zlib
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from testkit.runner_processes import RunnerProcesses, find_newest_python

from sundial_core.runs.runner_archive import LARGEST_BYTES, build_archive, read_sources, strip_comments

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "runner" / "sundial_runner"
COMMENTED = '''"""About
the module."""
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class State(Protocol):
        """Only for types."""

LIMIT = 4  # in bytes
"""Of a message."""


class Empty(Exception):
    """Has nothing else."""


def f(text="# no comment"):
    """Do it."""
    return "kept", """kept
    # too""", text
'''
STRIPPED = '''""

from __future__ import annotations

TYPE_CHECKING = False
""





LIMIT = 4
""


class Empty(Exception):
    ""


def f(text="# no comment"):
    ""
    return "kept", """kept
    # too""", text
'''


def test_the_archive_is_at_most_16_kilobytes() -> None:
    assert len(build_archive(read_sources()).data) <= LARGEST_BYTES == 16 * 1024


def test_the_same_source_gives_the_same_bytes() -> None:
    sources = read_sources()
    backwards = dict(reversed(sources.items()))
    assert build_archive(sources) == build_archive(backwards)
    changed = sources | {"call.py": sources["call.py"] + b"\nX = 1\n"}
    assert build_archive(changed).digest != build_archive(sources).digest


def test_the_archive_knows_nothing_of_when_and_where_it_was_made() -> None:
    inside = zlib.decompress(build_archive({"b.py": b"B = 1\n", "a.py": b"A = 1\n"}).data)
    files = zipfile.ZipFile(BytesIO(inside)).infolist()
    assert [file.filename for file in files] == ["sundial_runner/a.py", "sundial_runner/b.py"]
    assert {(file.date_time, file.create_system, file.external_attr, file.extra) for file in files} == {
        ((1980, 1, 1, 0, 0, 0), 3, 0o644 << 16, b"")
    }


def test_what_no_pod_reads_is_left_out_and_lines_keep_their_numbers() -> None:
    assert strip_comments(COMMENTED) == STRIPPED


def test_every_file_of_the_package_is_in_it() -> None:
    files = {str(path.relative_to(PACKAGE)): path.read_bytes() for path in PACKAGE.rglob("*.py")}
    assert read_sources() == files
    assert "celery_tasks/__init__.py" in files


def test_the_runner_needs_the_standard_library_only_and_celery_for_its_tasks() -> None:
    assert _list_foreign(PACKAGE.glob("*.py")) == set()
    assert _list_foreign(PACKAGE.glob("celery_tasks/*.py")) == {"celery", "kombu"}


def _list_foreign(files: Iterable[Path]) -> set[str]:
    imported = {name for path in files for name in _list_imports(ast.parse(path.read_text()))}
    return imported - sys.stdlib_module_names - {"sundial_runner"}


def _list_imports(tree: ast.AST) -> set[str]:
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in plain | froms}


def test_an_archive_that_is_not_the_jobs_own_does_not_run(tmp_path: Path) -> None:
    with RunnerProcesses(tmp_path, find_newest_python()) as runs:
        runs.archive_file.write_bytes(build_archive(read_sources() | {"more.py": b""}).data)
        ended = runs.run("samples.plain")
    said = ended.message["error"]
    assert (ended.code, ended.log) == (1, f"sundial: {said}\n")
    assert said.startswith(f"the runner in the ConfigMap sundial-runner-{runs.archive.digest[:10]} is not")
