"""What have accounts asked of the API server? Read from its audit log, with what its authoriser said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

DECISION, REASON = "authorization.k8s.io/decision", "authorization.k8s.io/reason"
OF_EVERYBODY = 'to Group "system:authenticated"'
"""How the reason ends where a request is one that the cluster allows to whoever is known to it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the authoriser saw it; `ns` and `name` are empty where it had none."""

    user: str
    verb: str
    group: str
    resource: str
    ns: str
    name: str
    is_allowed: bool
    is_everybodys: bool = False
    """Whether it is allowed to whoever is known to the cluster, such as asking what one may do."""

    def __str__(self) -> str:
        named = f" {self.name}" if self.name else ""
        where = f"in {self.ns}" if self.ns else "in all namespaces"
        return f"{self.verb} {self.resource}{named} ({self.group or 'core'}) {where}"


def read_asked(lines: Iterable[str]) -> Iterator[Asked]:
    """Read the requests for resources from lines of an audit log; the last one may be half written."""
    for line in lines:
        if line.endswith("\n"):
            event = json.loads(line)
            if "resource" in (event.get("objectRef") or {}):
                yield _parse(event)


def _parse(event: dict[str, Any]) -> Asked:
    """Parse an event; what is created has no name yet when the authoriser is asked."""
    reference, said = event["objectRef"], event.get("annotations") or {}
    return Asked(
        user=event["user"]["username"],
        verb=event["verb"],
        group=reference.get("apiGroup", ""),
        resource="/".join(filter(None, (reference["resource"], reference.get("subresource")))),
        ns=reference.get("namespace", ""),
        name="" if event["verb"] == "create" else reference.get("name", ""),
        is_allowed=said.get(DECISION) == "allow",
        is_everybodys=said.get(REASON, "").endswith(OF_EVERYBODY),
    )
