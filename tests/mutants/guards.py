"""The list of guards: which functions are mutated, and which tests are to kill each mutant."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("guards.toml")


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A change that makes no difference that anybody could see: the text of the lines before and after."""

    line: str
    mutant: str
    why: str


@dataclass(frozen=True, slots=True)
class Guard:
    """Functions of one file; `functions` are functions, classes and `Class.method`s, none means all."""

    name: str
    file: str
    tests: tuple[str, ...]
    functions: tuple[str, ...] = ()
    equivalents: tuple[Equivalent, ...] = ()

    @property
    def module(self) -> str:
        """The module's dotted name: the first folder is a source root."""
        return ".".join(Path(self.file).with_suffix("").parts[1:])

    def list_patterns(self) -> list[str]:
        """List the patterns of the names that mutmut gives to the mutants of these functions."""
        return [f"{self.module}.{mangled}*" for mangled in self._mangle()] or [f"{self.module}.*"]

    def has(self, mutant: str) -> bool:
        """Tell whether a mutant is one of these functions."""
        return any(fnmatchcase(mutant, pattern) for pattern in self.list_patterns())

    def _mangle(self) -> Iterator[str]:
        for name in self.functions:
            owner, _, method = name.rpartition(".")
            if owner:
                yield f"xǁ{owner}ǁ{method}__mutmut_"
            else:
                yield f"xǁ{name}ǁ" if name[:1].isupper() else f"x_{name}__mutmut_"


def read_guards(path: Path = LIST) -> list[Guard]:
    """Read the list of guards."""
    entries = tomllib.loads(path.read_text())["guard"]
    return [
        Guard(
            name=entry["name"],
            file=entry["file"],
            tests=tuple(entry["tests"]),
            functions=tuple(entry.get("functions", ())),
            equivalents=tuple(Equivalent(**one) for one in entry.get("equivalent", ())),
        )
        for entry in entries
    ]
