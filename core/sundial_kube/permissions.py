"""Whether the API server lets us do all that we need. What is needed, the operator and the API each list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from sundial_core.resources.raw import JsonObject
from sundial_kube.client import KubeClient
from sundial_kube.resources import SELF_ACCESS_REVIEWS, Resource


@dataclass(frozen=True, slots=True)
class Permission:
    """One verb on one resource, in one namespace or (None) in all; of any name, or of one."""

    verb: str
    resource: Resource
    ns: str | None
    subresource: str = ""
    name: str = ""

    def __str__(self) -> str:
        where = f"in namespace {self.ns}" if self.ns else "in all namespaces"
        what = f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural
        named = f" {self.name}" if self.name else ""
        return f"{self.verb} {what}{named} ({self.resource.group or 'core'}) {where}"


async def list_missing(client: KubeClient, needed: Iterable[Permission]) -> list[Permission]:
    """Ask the API server about each permission; raises ApiError, ApiUnreachable."""
    needed = list(needed)
    answers = await asyncio.gather(
        *(client.review(SELF_ACCESS_REVIEWS, _build_spec(permission)) for permission in needed)
    )
    return [
        permission for permission, answer in zip(needed, answers, strict=True) if not answer.get("allowed")
    ]


def _build_spec(permission: Permission) -> JsonObject:
    attributes = {
        "verb": permission.verb,
        "group": permission.resource.group,
        "resource": permission.resource.plural,
        "subresource": permission.subresource,
        "namespace": permission.ns or "",
        "name": permission.name,
    }
    return {"resourceAttributes": attributes}
