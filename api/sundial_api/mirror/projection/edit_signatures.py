"""Did whoever `updated-by` names leave an object as it is? The API signs the state that it leaves.

managedFields tell who wrote last, but whoever may edit an object may send them. These annotations nobody else
writes where the policy `sundial-signatures` holds (docs/architecture.md, "The marks").
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import orjson

from sundial_core.resources.names import UPDATED_STATE
from sundial_core.resources.raw import JsonObject

OWN_PREFIX = "sundial.dev/"


def compute_state(generation: int, annotations: Mapping[str, str]) -> str:
    """Compute what a signature stands for: the spec, by its generation, and our annotations but itself."""
    own = {name: value for name, value in annotations.items() if name.startswith(OWN_PREFIX)}
    own.pop(UPDATED_STATE, None)
    text = orjson.dumps([generation, own], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:32]


def is_signed(metadata: JsonObject) -> bool:
    """Tell whether an object is as the newest edit of the API left it."""
    annotations = metadata.get("annotations") or {}
    return bool(annotations.get(UPDATED_STATE) == compute_state(metadata["generation"], annotations))


def sign_state(old: JsonObject | None, new: JsonObject) -> JsonObject:
    """Sign the state that an edit leaves, in a copy of the object; `old` is None for a new one.

    The API server raises the generation by one where the spec changes, and begins with 1.
    """
    generation: int = old["metadata"]["generation"] if old is not None else 0
    if old is None or _dump(old["spec"]) != _dump(new["spec"]):
        generation += 1
    annotations = new["metadata"].get("annotations") or {}
    signed = annotations | {UPDATED_STATE: compute_state(generation, annotations)}
    return new | {"metadata": new["metadata"] | {"annotations": signed}}


def _dump(spec: JsonObject) -> bytes:
    """Write a spec so that 1, 1.0 and true differ, as they do for the API server."""
    return orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)
