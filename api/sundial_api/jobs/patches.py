"""How is an edit sent? As a JSON patch that fails where somebody else has changed what it was made from.

A new status is nobody's edit: it moves neither the generation nor an annotation. The rule:
docs/api-contract.md, "Edits".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sundial_api.http.json_values import is_same_json
from sundial_core.resources import names
from sundial_core.resources.raw import JsonObject

ANNOTATIONS = "/metadata/annotations"
OWN_PREFIX = "sundial.dev/"
USERS_MARKS = (names.PAUSED, names.PAUSED_BY, names.PAUSED_REASON, names.CANCEL)
"""The annotations of ours that users write: where one is not there, an edit counts on that."""


def build_patch(old: JsonObject, new: JsonObject) -> list[JsonObject]:
    """Build the patch of an edit; all that an ETag stands for must be as it was."""
    return [
        _build_test("/metadata/uid", old["metadata"]["uid"]),
        _build_test("/metadata/generation", old["metadata"]["generation"]),
        *_guard_annotations(old["metadata"], new["metadata"].get("annotations") or {}),
        *list_changes(old, new),
    ]


def list_changes(old: JsonObject, new: JsonObject) -> list[JsonObject]:
    """List what differs in spec and annotations; a field of the spec is replaced as a whole."""
    before, after = (item["metadata"].get("annotations") or {} for item in (old, new))
    return [
        *_list_differences("/spec", old["spec"], new["spec"]),
        *_list_differences(ANNOTATIONS, before, after),
    ]


def _guard_annotations(metadata: JsonObject, wanted: Mapping[str, str]) -> Iterator[JsonObject]:
    """Have annotations tested; one that is not there is null for the API server, where there are others."""
    annotations = metadata.get("annotations")
    if not annotations:
        yield _build_test(ANNOTATIONS, None)
        yield {"op": "add", "path": ANNOTATIONS, "value": {}}
        return
    own = {name for name in annotations.keys() | wanted.keys() if name.startswith(OWN_PREFIX)}
    for name in sorted(own.union(USERS_MARKS)):
        yield _build_test(_point(ANNOTATIONS, name), annotations.get(name))


def _list_differences(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[JsonObject]:
    for name in old.keys() - new.keys():
        yield {"op": "remove", "path": _point(path, name)}
    for name, value in new.items():
        if name not in old or not is_same_json(old[name], value):
            yield {"op": "add", "path": _point(path, name), "value": value}


def _build_test(path: str, value: Any) -> JsonObject:
    return {"op": "test", "path": path, "value": value}


def _point(path: str, name: str) -> str:
    """Point at a member, by RFC 6901."""
    return f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
