"""Which part of a list is wanted? Pages by number as the frontend asks, or by a cursor at any depth."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from sundial_api.http.errors import Invalid
from sundial_api.http.fields import FieldNames
from sundial_api.http.invalid_values import KUBERNETES_NAME
from sundial_clock.instants import format_instant, parse_instant
from sundial_clock.sentences import say

MAX_OFFSET_ROWS = 100_000
"""OFFSET reads all that it skips: at most so many rows from either end, a cursor beyond."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page by number, from 1."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many rows come before it."""
        return (self.number - 1) * self.size


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a list that is ordered by an instant and an id, newest first."""

    instant: datetime
    id: UUID


class PageQuery(BaseModel):
    """Which page is wanted; a list gives `per_page` its own default."""

    page: int = Field(1, ge=1, le=1_000_000_000, description="The page, from 1.")
    per_page: int = Field(20, ge=1, le=100, description="How many rows a page has.")
    fields: FieldNames = None

    @property
    def wanted(self) -> Page:
        """The page that is wanted."""
        return Page(self.page, self.per_page)


class CursorQuery(PageQuery):
    """Which page is wanted of a list that can be read on at any depth."""

    cursor: str | None = Field(
        None, max_length=200, description="`nextCursor` of the page before; then `page` is ignored."
    )


NamespaceName = Annotated[
    str | None,
    Field(max_length=63, pattern=KUBERNETES_NAME, description="Only of this namespace."),
]


def describe_page(response: Response, page: Page, total: int) -> None:
    """Say in headers which page of how many rows this is."""
    response.headers["X-Total-Count"] = str(total)
    response.headers["X-Page"] = str(page.number)
    response.headers["X-Per-Page"] = str(page.size)


def document_page() -> dict[int | str, dict[str, Any]]:
    """Describe the headers of a page, for the OpenAPI document of its endpoint."""
    header = {"schema": {"type": "integer"}}
    named = {"X-Total-Count": "All rows that match.", "X-Page": "The page.", "X-Per-Page": "Rows a page."}
    return {200: {"headers": {name: header | {"description": text} for name, text in named.items()}}}


def check_depth(page: Page, total: int, most: int = MAX_OFFSET_ROWS) -> None:
    """Refuse a page that neither end of the list is near to; raises Invalid."""
    if min(page.offset, max(total - page.offset - page.size, 0)) > most:
        message = say(
            "the page is more than {limit} rows from either end; use cursor instead of page", limit=most
        )
        raise Invalid(("query", "page"), message)


def write_cursor(position: Position, of: str = "") -> str:
    """Write a position in a list, whose cursors begin with `of`, as an opaque text."""
    text = f"{of}{format_instant(position.instant)}/{position.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_cursor(text: str | None, of: str = "") -> Position | None:
    """Read a cursor; raises Invalid when it is not one of this list."""
    if text is None:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        whole = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        if not whole.startswith(of):
            raise ValueError("of another list")
        instant, _, key = whole.removeprefix(of).partition("/")
        return Position(parse_instant(instant), UUID(key))
    except (ValueError, binascii.Error):
        message = say("is not a cursor of this list; take nextCursor of the page before")
        raise Invalid(("query", "cursor"), message) from None
