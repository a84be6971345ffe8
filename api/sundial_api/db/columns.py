"""Which types, base and constraint names do all tables share?

Widths are those of the custom resources, or the API's where that limits a value; Postgres refuses a longer
text and a NUL character, so whoever writes a row trims first.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from sqlalchemy import JSON, BigInteger, ColumnElement, DateTime, Dialect, MetaData, String, Text, case, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator

_LAST = "timestamptz '9999-12-31 23:59:59+00'"
OPEN_ENDED = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""An instant that never comes: what Python sees of Postgres' `infinity`."""

VERSION_TABLE = "scheduler_alembic_version"
"""Not alembic's own name: the database may be shared with an application that uses alembic too."""


class OpenEndedInstant(TypeDecorator[datetime]):
    """An instant in UTC, or OPEN_ENDED, which is `infinity` in the database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> Any:
        """Write OPEN_ENDED as infinity."""
        return "infinity" if value == OPEN_ENDED else value

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Read infinity as OPEN_ENDED: Python's calendar ends there."""
        return case((column == text("'infinity'"), text(_LAST)), else_=column)


class Base(DeclarativeBase):
    """The tables of the database."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSON(none_as_null=True),
        list[dict[str, Any]]: JSONB,
    }


Key = Annotated[UUID, mapped_column(primary_key=True)]
Number = Annotated[int, mapped_column(primary_key=True, autoincrement=False)]
Namespace = Annotated[str, mapped_column(String(63))]
ResourceName = Annotated[str, mapped_column(String(253))]
Text253 = Annotated[str, mapped_column(String(253))]
Text1000 = Annotated[str, mapped_column(String(1000))]
LongText = Annotated[str, mapped_column(Text)]
Word = Annotated[str, mapped_column(String(20))]
Version = Annotated[int, mapped_column(BigInteger, server_default="0")]
"""A resourceVersion, compared as a number; 0 is older than any."""
Epoch = Annotated[int, mapped_column(server_default="1")]
"""Which life of the cluster's store the versions beside it are from; a restored one begins another."""
No = Annotated[bool, mapped_column(server_default="false")]
Yes = Annotated[bool, mapped_column(server_default="true")]
