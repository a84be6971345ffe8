"""Rules of RBAC roles: those that grant what operator and API say that they need, and what some grant."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

from sundial_kube.permissions import Permission


def build_rules(permissions: Iterable[Permission]) -> list[dict[str, Any]]:
    """Build a rule for each permission."""
    return [_build_rule(permission) for permission in permissions]


def _build_rule(permission: Permission) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "apiGroups": [permission.resource.group],
        "resources": ["/".join(filter(None, (permission.resource.plural, permission.subresource)))],
        "verbs": [permission.verb],
    }
    return rule | ({"resourceNames": [permission.name]} if permission.name else {})


Grant = tuple[str | None, str, str, str, str]
"""A namespace, or None for all, then group, resource, name (empty: any) and verb."""


def list_granted(items: Iterable[dict[str, Any]], account: str) -> set[Grant]:
    """List what roles grant an account, each where its binding has it hold."""
    items = list(items)
    rules = {
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]): one["rules"]
        for one in items
        if "rules" in one
    }
    bindings = [one for one in items if account in map(_name, one.get("subjects", ()))]
    return {
        (one["metadata"].get("namespace"), *grant)
        for one in bindings
        for rule in rules[_find_role(one)]
        for grant in product(
            rule["apiGroups"], rule["resources"], rule.get("resourceNames", [""]), rule["verbs"]
        )
    }


def list_wanted(needed: Iterable[Permission]) -> set[Grant]:
    """List what is needed, in a role's words."""
    return {
        (
            one.ns,
            one.resource.group,
            "/".join(filter(None, (one.resource.plural, one.subresource))),
            one.name,
            one.verb,
        )
        for one in needed
    }


def _find_role(binding: dict[str, Any]) -> tuple[str, str | None, str]:
    role = binding["roleRef"]
    ns = binding["metadata"].get("namespace") if role["kind"] == "Role" else None
    return role["kind"], ns, role["name"]


def _name(one: dict[str, str]) -> str:
    return one["name"]
