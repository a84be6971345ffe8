"""Merge patches of statuses, guarded by the version that they were computed from."""

from __future__ import annotations

from typing import Protocol

from sundial_core.resources.raw import JsonObject


class Reported(Protocol):
    """An object with a status, as a store holds it."""

    @property
    def uid(self) -> str:
        """The object's UID."""

    @property
    def resource_version(self) -> int:
        """The object's resourceVersion."""

    @property
    def ns(self) -> str:
        """The object's namespace."""

    @property
    def name(self) -> str:
        """The object's name."""

    @property
    def status(self) -> JsonObject:
        """The stored status, as far as it can be read."""

    @property
    def unreadable(self) -> JsonObject:
        """The fields of the stored status of which something cannot be read, as they are."""


def build_patch(item: Reported, status: JsonObject) -> JsonObject:
    """Build a merge patch from the stored status to the wanted one, guarded by the resourceVersion."""
    changes = diff(item.status | item.unreadable, status)
    return {"metadata": {"resourceVersion": str(item.resource_version)}, "status": changes}


def diff(old: JsonObject, new: JsonObject) -> JsonObject:
    """Build the merge patch that turns one object into another: null removes a field, objects merge."""
    removed = dict.fromkeys(name for name in old if name not in new)
    return removed | {
        name: diff(old[name], value) if isinstance(value, dict) and isinstance(old.get(name), dict) else value
        for name, value in new.items()
        if old.get(name) != value
    }
