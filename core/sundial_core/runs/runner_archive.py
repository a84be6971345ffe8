"""What runs in a Pod that calls a function? The runner as one small file, and the program that starts it.

The file is mounted into the container, read once, compared with the hash that the Job was made with, and
imported from memory: whoever may change what is mounted cannot run code as the Job's account.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from sundial_core.resources import names

PACKAGE = "sundial_runner"
LARGEST_BYTES = 16 * 1024
"""Copied into every namespace with a function, and read at the start of every run."""
MOUNTED_FILE = "/sundial/runner.pyz"

_MADE_ON_UNIX = 3
_READABLE = 0o644 << 16
_PROGRAM = """\
import os,sys,zlib
try:from _sha256 import sha256
except ImportError:from hashlib import sha256
d=open({path!r},'rb').read()
if sha256(d).hexdigest()!={digest!r}:
 w='the runner in the ConfigMap {config_map} is not the one of this Job; delete it, it is made again'
 open(os.environ.get('SUNDIAL_MESSAGE_PATH')or'/dev/termination-log','w').write('{{"sundial":1,"error":"%s"}}'%w)
 sys.exit('sundial: '+w)
f=os.memfd_create('sundial')
os.write(f,zlib.decompress(d))
sys.path.insert(0,'/proc/self/fd/%d'%f)
from sundial_runner.__main__ import main
del sys.path[0]
sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class RunnerArchive:
    """The runner as it is mounted: a zip archive that Python imports from, compressed as a whole."""

    data: bytes
    digest: str
    """SHA-256, as hexadecimal digits."""


def build_archive(sources: Mapping[str, bytes]) -> RunnerArchive:
    """Build the archive of a package's files by their names: the same bytes from the same source and zlib.

    Files compressed one by one would take half as much again (decision 0020).
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, source in sorted(sources.items()):
            archive.writestr(_describe_file(f"{PACKAGE}/{name}"), strip_comments(source.decode()))
    data = zlib.compress(target.getvalue(), 9)
    return RunnerArchive(data, hashlib.sha256(data).hexdigest())


def read_sources() -> dict[str, bytes]:
    """Read the runner's files where it is installed, by their names."""
    return dict(_read_folder(resources.files(PACKAGE), ""))


def _read_folder(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read_folder(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".py"):
            yield f"{prefix}{entry.name}", entry.read_bytes()


def build_program(digest: str, path: str = MOUNTED_FILE) -> str:
    """Build the program of a Job's `python3 -c PROGRAM`, which checks the archive and starts it."""
    return _PROGRAM.format(path=path, digest=digest, config_map=names.build_runner_name(digest))


def strip_comments(source: str) -> str:
    """Empty comments, docstrings and imports for types, which no Pod reads; each line keeps its number."""
    stripped = _empty(_empty(source, _is_for_types), _is_docstring)
    lines = stripped.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(stripped).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    return "\n".join(lines)


def _empty(source: str, is_unread: Callable[[ast.stmt], bool]) -> str:
    """Put an empty text in the place of statements, the first of their lines."""
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt) and is_unread(node):
            first, end = node.lineno - 1, node.end_lineno or node.lineno
            lines[first:end] = [" " * node.col_offset + '""'] + [""] * (end - first - 1)
    return "\n".join(lines)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not node.orelse


def _describe_file(name: str) -> zipfile.ZipInfo:
    """Describe a file by its name alone: no time, owner, mode or system of where it was built."""
    info = zipfile.ZipInfo(name)
    info.create_system = _MADE_ON_UNIX
    info.external_attr = _READABLE
    return info
