"""Which of an account's grants are used, and what does it ask for that is not granted?"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from testkit.role_rules import Grant
from testkit.used_permissions.audited_requests import Asked


@dataclass(frozen=True, slots=True)
class Usage:
    """What of an account's grants was used, and what else it has asked for."""

    used: frozenset[Grant]
    ungranted: frozenset[Asked]


def compare(asked: Iterable[Asked], granted: Collection[Grant]) -> Usage:
    """Give each request to the narrowest grant that covers it: a wider one beside it is then of no use.

    What the API server refused is ungranted, and what another role allowed.
    """
    used, ungranted = set(), set()
    for one in set(asked):
        covering = [grant for grant in granted if _covers(grant, one)]
        if one.is_allowed and covering:
            used.add(max(covering, key=_compute_narrowness))
        elif not (one.is_allowed and one.is_everybodys):
            ungranted.add(one)
    return Usage(frozenset(used), frozenset(ungranted))


def describe_grant(grant: Grant) -> str:
    """Write a grant as a request is written."""
    ns, group, resource, name, verb = grant
    return str(Asked("", verb, group, resource, ns or "", name, is_allowed=True))


def _covers(grant: Grant, asked: Asked) -> bool:
    ns, group, resource, name, verb = grant
    is_same = (group, resource, verb) == (asked.group, asked.resource, asked.verb)
    return is_same and ns in (None, asked.ns) and name in ("", asked.name)


def _compute_narrowness(grant: Grant) -> tuple[bool, bool]:
    ns, _, _, name, _ = grant
    return name != "", ns is not None
