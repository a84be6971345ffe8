"""How is a CRD written as YAML? Our fields in block style to be read, templates in flow style to be small."""

from __future__ import annotations

from typing import Any

import yaml

from sundial_core.resources.raw import JsonObject

HEADER = "# Generated from the models in core/sundial_core by `python -m sundial_core.crds`: do not edit.\n"
WIDTH = 120
TEMPLATE = "template"


class _Flow(dict[str, Any]):
    """A mapping that is written in flow style, with all that is in it."""


class _Dumper(yaml.SafeDumper):
    """YAML without anchors, which API servers and reviewers can do without."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _represent_flow(dumper: _Dumper, data: _Flow) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)


_Dumper.add_representer(_Flow, _represent_flow)


def build_document(definition: JsonObject) -> str:
    """Write a CRD as a YAML document with a header."""
    text = yaml.dump(_compacted(definition), Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)
    return HEADER + text


def _compacted(definition: JsonObject) -> JsonObject:
    (version,) = definition["spec"]["versions"]
    root = version["schema"]["openAPIV3Schema"]
    spec = root["properties"]["spec"]
    template = spec["properties"].get(TEMPLATE)
    if template is None:
        return definition
    properties = {name: _Flow(schema) for name, schema in template["properties"].items()}
    fields = spec["properties"] | {TEMPLATE: template | {"properties": properties}}
    schema = root | {"properties": root["properties"] | {"spec": spec | {"properties": fields}}}
    versions = [version | {"schema": {"openAPIV3Schema": schema}}]
    return definition | {"spec": definition["spec"] | {"versions": versions}}
