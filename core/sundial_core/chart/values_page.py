"""The chart's README: each value with its default and the comment above it in values.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

COMMENT = re.compile(r"^\s*# (?:-- )?(.*)$")
KEY = re.compile(r"^(\s*)([A-Za-z]+):(.*)$")
HEADER = """# The chart of Sundial

Generated from values.yaml by `python -m sundial_core.chart`: do not edit. How to install it:
[docs/installation.md](../../docs/installation.md).

| value | default | |
|---|---|---|
"""
INDENT = 2


def build_values_page(text: str) -> str:
    """Build the page from the text of values.yaml."""
    rows = [f"| `{path}` | {_show(default)} | {comment} |" for path, default, comment in _read(text)]
    return HEADER + "\n".join(rows) + "\n"


def _read(text: str) -> Iterator[tuple[str, Any, str]]:
    """Read the paths of all values, with what stands above them."""
    values, path, comment = yaml.safe_load(text), list[str](), list[str]()
    for line in text.splitlines():
        if found := COMMENT.match(line):
            comment.append(found[1])
        elif found := KEY.match(line):
            path = [*path[: len(found[1]) // INDENT], found[2]]
            default = _find(values, path)
            if found[3].strip() or comment:
                yield ".".join(path), default if found[3].strip() else None, " ".join(comment)
            comment = []
        else:
            comment = []


def _find(values: Any, path: list[str]) -> Any:
    for name in path:
        values = values[name]
    return values


def _show(default: Any) -> str:
    return f"`{json.dumps(default)}`" if default is not None else ""
