"""Which sentences does the source make? The calls of `say` and of its like, found in the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class MadeSentence:
    """A template, the names of its values, and where it is made."""

    template: str
    values: frozenset[str]
    place: str


def list_made(folder: str) -> list[MadeSentence]:
    """List what `say` makes below a folder; raises AssertionError for a template that is no literal."""
    return [_read(call, place) for call, place in list_calls(folder, "say")]


def list_calls(folder: str, name: str) -> Iterator[tuple[ast.Call, str]]:
    """List the calls of a function by its plain name, each with its file and line."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield node, f"{path.relative_to(ROOT)}:{node.lineno}"


def _read(call: ast.Call, place: str) -> MadeSentence:
    template = call.args[0]
    assert isinstance(template, ast.Constant), f"{place}: no literal"
    assert isinstance(template.value, str), f"{place}: no text"
    assert all(keyword.arg for keyword in call.keywords), f"{place}: values that cannot be seen"
    return MadeSentence(template.value, frozenset(str(keyword.arg) for keyword in call.keywords), place)
