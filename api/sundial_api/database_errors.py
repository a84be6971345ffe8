"""What does an error of the database mean for who operates it? Its own words, without values or addresses."""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DBAPIError

OUTDATED_STATES = frozenset({"42P01", "42703", "42883"})
"""SQLSTATE of a table, a column and a function that are not there: migrations were forgotten."""
UPGRADE = "run `sundial-database upgrade`"
_WORDS_WITHOUT_VALUES = ("08", "28", "3D", "42", "53", "57")
"""Classes of SQLSTATE whose message names objects, never what is stored."""

UNREACHED = (
    "Connection refused",
    "Name or service not known",
    "Temporary failure in name resolution",
    "No such file or directory",
    "No route to host",
    "Network is unreachable",
    "did not answer in time",
    "timeout expired",
    "server closed the connection unexpectedly",
)
"""What is said of a server that cannot be reached, without the address that the driver names with it."""


class DatabaseSilent(psycopg.OperationalError):
    """The deadline came before the answer: of the other connections that says nothing."""

    def __init__(self) -> None:
        super().__init__("the database did not answer in time")


def read_state(error: BaseException) -> str:
    """Read the SQLSTATE of an error, empty where the server did not send one."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def is_outdated(error: BaseException) -> bool:
    """Tell whether the tables are not those of this release."""
    return read_state(error) in OUTDATED_STATES


def describe_trouble(error: BaseException) -> str:
    """Say in a line what the server said, empty where it said nothing that may be in a log."""
    if not isinstance(error, DBAPIError):
        return ""
    state, lines = read_state(error), str(error.orig).splitlines()
    refusal = next((line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line), "")
    if refusal:
        return refusal
    if not state:
        return next(
            (words for words in UNREACHED if any(words.lower() in line.lower() for line in lines)), ""
        )
    words = lines[0] if lines and state.startswith(_WORDS_WITHOUT_VALUES) else f"SQLSTATE {state}"
    return f"{words}; {UPGRADE}" if state in OUTDATED_STATES else words
