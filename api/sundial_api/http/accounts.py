"""For whose account does what runs here work? Limits that callers share are by that."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ACCOUNT: ContextVar[Hashable | None] = ContextVar("account", default=None)


@contextmanager
def on_behalf_of(account: Hashable) -> Iterator[None]:
    """Let what runs inside work for an account; tasks that are started there do too."""
    token = _ACCOUNT.set(account)
    try:
        yield
    finally:
        _ACCOUNT.reset(token)


def find_current_account() -> Hashable | None:
    """Find for whose account this runs; None where it is for nobody's."""
    return _ACCOUNT.get()
