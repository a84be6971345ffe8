"""How are rows of several namespaces selected?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, String, cast, literal

Namespaces = Sequence[str] | None
"""Names of namespaces; None is all."""


def is_in(column: ColumnElement[Any], namespaces: Sequence[str]) -> ColumnElement[bool]:
    """Build what tells rows of some namespaces; of a single one its rows come in the order of an index."""
    if len(namespaces) == 1:
        return column == namespaces[0]
    return column == cast(literal(list(namespaces), ARRAY(String)), ARRAY(String)).any_()
