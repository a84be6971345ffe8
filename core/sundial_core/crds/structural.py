"""How a pydantic JSON schema becomes a structural schema, which is what the API server takes.

No references, no titles, no null unions; an optional field is simply not required.
"""

from __future__ import annotations

from pydantic import BaseModel

from sundial_core.resources.fields import JOB_TEMPLATE
from sundial_core.resources.raw import JsonObject

INT32_MAX = 2**31 - 1
DROPPED = frozenset({"$defs", "title", "properties", "items", "additionalProperties"})


def build_schema(model: type[BaseModel], template: JsonObject) -> JsonObject:
    """Write the structural schema of a model, with `template` for each Job template in it."""
    schema = model.model_json_schema(by_alias=True)
    return _convert(schema, schema.get("$defs", {}), template)


def int_or_string(**limits: object) -> JsonObject:
    """Write a value that is an integer or a string; each limit applies to values of its own type only."""
    return {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}], **limits}


def _convert(schema: JsonObject, definitions: JsonObject, template: JsonObject) -> JsonObject:
    node = _inlined(schema, definitions)
    if node.pop(JOB_TEMPLATE, False):
        return {"description": _one_line(node["description"]), **template}
    out = _own_keywords(node)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            out[key] = _convert(node[key], definitions, template)
    if fields := node.get("properties"):  # an empty one is dropped by the server, and would always differ
        out["properties"] = {name: _convert(field, definitions, template) for name, field in fields.items()}
    return out


def _own_keywords(node: JsonObject) -> JsonObject:
    out = {key: value for key, value in node.items() if key not in DROPPED}
    if out.get("default", ...) is None:
        del out["default"]
    if "description" in out:
        out["description"] = _one_line(out["description"])
    if out.get("type") == "integer":
        out.setdefault("format", "int32" if out.get("maximum", 0) <= INT32_MAX else "int64")
    return out


def _inlined(schema: JsonObject, definitions: JsonObject) -> JsonObject:
    """Put what a node refers to into the node; the node's own words win."""
    node: JsonObject = {}
    if "$ref" in schema:
        node |= _inlined(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
    if "anyOf" in schema:
        node |= _joined([_inlined(choice, definitions) for choice in schema["anyOf"]])
    return node | {key: value for key, value in schema.items() if key not in ("$ref", "anyOf")}


def _joined(choices: list[JsonObject]) -> JsonObject:
    """Write a union, of which a structural schema knows only X | None and int | str."""
    present = [choice for choice in choices if choice.get("type") != "null"]
    if len(present) == 1:
        return present[0]
    if [choice.get("type") for choice in present] != ["integer", "string"]:
        raise ValueError(f"a structural schema cannot say {choices}")
    limits = {key: value for choice in present for key, value in choice.items() if key != "type"}
    return int_or_string(**limits)


def _one_line(text: str) -> str:
    return " ".join(text.split())
