"""How is JSON written as YAML that every parser takes for the same? Text is quoted unless it is a plain word.

YAML 1.1 and 1.2, and the parsers of each, differ in what they take for a number, a truth or a date (`no`,
`1e3`, `0o7`, `12:30`); none of them looks into quotes.
"""

from __future__ import annotations

import re

import yaml

from sundial_core.resources.raw import JsonObject

WORD = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
NO_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
"""Words that some parser takes for something else than text, in any case."""
TEXT_TAG = "tag:yaml.org,2002:str"


class _QuotingDumper(yaml.SafeDumper):
    """YAML in block style, without anchors."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _represent_text(dumper: _QuotingDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar(TEXT_TAG, text, style=_choose_style(text))


def _represent_object(dumper: _QuotingDumper, data: JsonObject) -> yaml.Node:
    """Represent an object; its keys stay on one line each."""
    node = dumper.represent_mapping("tag:yaml.org,2002:map", data.items())
    for key, _ in node.value:
        key.style = '"' if key.style == "|" else key.style
    return node


def _choose_style(text: str) -> str | None:
    """Choose how text is written: as it is, as a block of lines, or else in quotes."""
    if WORD.fullmatch(text) and text.lower() not in NO_TEXT:
        return None
    lines = text.split("\n")
    is_block = len(lines) > 1 and lines[0][:1] not in ("", " ") and all(map(str.isprintable, lines))
    return "|" if is_block else '"'


_QuotingDumper.add_representer(str, _represent_text)
_QuotingDumper.add_representer(dict, _represent_object)


def write_yaml(document: JsonObject) -> str:
    """Write a JSON object as a YAML document, its keys in their order."""
    return yaml.dump(document, Dumper=_QuotingDumper, sort_keys=False, width=float("inf"), allow_unicode=True)
