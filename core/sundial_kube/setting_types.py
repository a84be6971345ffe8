"""Names that settings take: what the API server would refuse later is refused at the start."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

MAX_NAMESPACE_CHARS = 63
MOST_NAMESPACES = 50
"""Of each kind there is a watch for each namespace; more of them are better watched together."""
MAX_RELEASE_CHARS = 53
"""As Helm has it."""
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
RELEASE = re.compile(rf"{NAMESPACE.pattern}(\.{NAMESPACE.pattern})*")


def check_namespace(name: str) -> str:
    """Check that a namespace can be called so."""
    if len(name) > MAX_NAMESPACE_CHARS or not NAMESPACE.fullmatch(name):
        raise ValueError(
            "must be the name of a namespace: small letters, digits and dashes between them,"
            f" at most {MAX_NAMESPACE_CHARS}, such as sundial-system"
        )
    return name


def check_release(name: str) -> str:
    """Check that a Helm release can be called so."""
    if len(name) > MAX_RELEASE_CHARS or not RELEASE.fullmatch(name):
        raise ValueError(
            "must be the name of a Helm release: small letters, digits, and dashes and dots between them,"
            f" at most {MAX_RELEASE_CHARS}, such as sundial"
        )
    return name


def check_namespaces(listed: tuple[str, ...]) -> tuple[str, ...]:
    """Check a list of namespaces, each named once."""
    if len(listed) > MOST_NAMESPACES:
        raise ValueError(f"names {len(listed)} namespaces; name at most {MOST_NAMESPACES}, or none for all")
    return tuple(map(check_namespace, listed))


def _split(text: object) -> object:
    """Split what is separated by commas; two of the same are one."""
    if not isinstance(text, str):
        return text
    return tuple(dict.fromkeys(part.strip() for part in text.split(","))) if text.strip() else ()


NamespaceName = Annotated[str, AfterValidator(check_namespace)]
Namespaces = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(check_namespaces)]
"""Separated by commas; empty means all."""
ReleaseName = Annotated[str, AfterValidator(check_release)]
