"""Which number has a task function? A stable one from namespace and name, the same in a rebuilt database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

INLINE = 1
"""Reserved for jobs with a template of their own."""

MAX_INT32 = 2**31 - 1


def propose_ids(ns: str, name: str) -> Iterator[int]:
    """Propose the ids of a TaskFunction (metadata.name), best first; the first that nobody else has is it."""
    probe = 0
    while True:
        text = f"{ns}/{name}" if probe == 0 else f"{ns}/{name}#{probe}"
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) & MAX_INT32
        if number > INLINE:
            yield number
        probe += 1


def choose_id(ns: str, name: str, owners: dict[int, tuple[str, str]]) -> int:
    """Choose the id of a TaskFunction, given who owns which."""
    return next(number for number in propose_ids(ns, name) if owners.get(number, (ns, name)) == (ns, name))
