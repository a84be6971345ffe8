"""The admission policies as the chart holds them, with names of an installation still to be filled in.

`@installation@` and the like stand for what is known when the chart is rendered. What the API server fills
in by itself is written out, so that what is stored does not differ from what was rendered.
"""

from __future__ import annotations

import yaml

from sundial_core.coordination.fence import build_fence
from sundial_core.coordination.marks_policies import Accounts, build_marks_policies
from sundial_core.resources.raw import JsonObject

INSTALLATION, NAMESPACE, RELEASE = "@installation@", "@namespace@", "@release@"
OPERATOR, API, RESTORER = "@operator@", "@api@", "@restorer@"
HEADER = "# Generated from the core by `python -m sundial_core.chart`: do not edit.\n"
WIDTH = 100_000
"""An expression is one line: names are filled in by its text."""


class _PolicyDumper(yaml.SafeDumper):
    """YAML in which quotes of CEL stand as they are."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if "'" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_PolicyDumper.add_representer(str, _represent_text)


def build_documents() -> dict[str, str]:
    """Build each policy with its binding as a list in YAML, by the name of its file."""
    fence = build_fence(INSTALLATION, NAMESPACE, RELEASE)
    marks = build_marks_policies(INSTALLATION, Accounts((OPERATOR,), (API,), (RESTORER,)))
    return {"fence.yaml": _write(fence), "marks.yaml": _write(marks)}


def fill_in_defaults(policy: JsonObject) -> JsonObject:
    """Write out what the API server adds to a policy; a binding stays as it is."""
    if policy["kind"] != "ValidatingAdmissionPolicy":
        return policy
    constraints = policy["spec"]["matchConstraints"]
    rules = [rule | {"scope": rule.get("scope", "*")} for rule in constraints["resourceRules"]]
    defaults = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}
    filled = policy["spec"] | {"matchConstraints": defaults | constraints | {"resourceRules": rules}}
    return policy | {"spec": {key: value for key, value in filled.items() if value != []}}


def _write(items: list[JsonObject]) -> str:
    filled = [fill_in_defaults(item) for item in items]
    text: str = yaml.dump(filled, Dumper=_PolicyDumper, sort_keys=False, width=WIDTH, allow_unicode=True)
    return HEADER + text
