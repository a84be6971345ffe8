"""Keeps managedFields as an API server does: who wrote which leaf, and when each last added or changed one.

An entry's time moves when its manager adds or changes a leaf. What is removed is taken out of every entry,
whose times stay, and an entry with nothing left goes. A server-side apply of what is there already changes
who holds what, and no time: a new entry then has none. `tests/testkit/user_edits.json` shows that it is so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sundial_clock.instants import format_instant

JsonObject = dict[str, Any]
Leaf = tuple[str, ...]

ATOMIC = (("spec", "args"), ("spec", "template"))
"""Objects that are one leaf; so is a template here, which no test changes in part."""


@dataclass
class Entry:
    """What one manager holds, and when it last added or changed something."""

    fields: set[Leaf]
    time: datetime | None


@dataclass
class FieldManagers:
    """The entries of one object, by manager and operation."""

    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)

    def update(self, manager: str, old: JsonObject, new: JsonObject, now: datetime) -> None:
        """Note a create, replace or patch of any kind by a manager; `old` is empty for a create."""
        written = self._pass_over(_read(old), _read(new), (manager, "Update"))
        if written:
            entry = self.entries.setdefault((manager, "Update"), Entry(set(), now))
            entry.fields |= written
            entry.time = now

    def apply(
        self, manager: str, applied: JsonObject, old: JsonObject, new: JsonObject, now: datetime
    ) -> None:
        """Note a server-side apply, with force, of what is `applied`."""
        key, before, after = (manager, "Apply"), _read(old), _read(new)
        known = self.entries.pop(key, Entry(set(), None))
        self._pass_over(before, after, key)
        self.entries[key] = Entry(set(_read(applied)), known.time if before == after else now)

    def build(self) -> list[JsonObject]:
        """Build the managedFields of the object."""
        return [
            {"manager": manager, "operation": operation, "fieldsV1": _build_fields(entry.fields)}
            | ({"time": format_instant(entry.time)} if entry.time else {})
            for (manager, operation), entry in self.entries.items()
        ]

    def _pass_over(self, old: dict[Leaf, Any], new: dict[Leaf, Any], to: tuple[str, str]) -> set[Leaf]:
        """Take what was removed, or written by another, out of the entries; give what was written."""
        written = {leaf for leaf in new if leaf not in old or old[leaf] != new[leaf]}
        for key, entry in list(self.entries.items()):
            entry.fields &= new.keys() if key == to else new.keys() - written
            if not entry.fields:
                del self.entries[key]
        return written


def _read(item: JsonObject) -> dict[Leaf, Any]:
    """Read the leaves that users own: labels, annotations and spec."""
    metadata = item.get("metadata", {})
    owned = {name: metadata[name] for name in ("labels", "annotations") if metadata.get(name)}
    return dict(_list_leaves({"metadata": owned, "spec": item.get("spec", {})}, ()))


def _list_leaves(value: Any, path: Leaf) -> Iterator[tuple[Leaf, Any]]:
    if not isinstance(value, dict) or path in ATOMIC:
        yield path, value
        return
    for name, below in value.items():
        yield from _list_leaves(below, (*path, name))


def _build_fields(leaves: set[Leaf]) -> JsonObject:
    fields: JsonObject = {}
    for leaf in leaves:
        below = fields
        for part in leaf:
            below = below.setdefault(f"f:{part}", {})
    return fields
