"""The rules that the API server checks on a custom resource, as values for pydantic's `json_schema_extra`.

A message says what to write instead: it is all that a user of kubectl sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FieldReason(StrEnum):
    """How kubectl words a refusal: `Invalid value: ...`, `Forbidden: ...` or `Required value: ...`."""

    INVALID = "FieldValueInvalid"
    FORBIDDEN = "FieldValueForbidden"
    REQUIRED = "FieldValueRequired"


class RuleScope(StrEnum):
    """When a rule is checked.

    Rules that hold for a part of an object are not checked again while that part stays the same. The whole
    object always changes, with each status too: a stricter rule on it would lock stored objects' status.
    """

    WRITES = "writes"
    CREATION = "creation"


@dataclass(frozen=True)
class Rule:
    """One CEL expression over `self`, the message when it is false, and the field below `self` to blame."""

    expression: str
    message: str
    field: str = ""
    refusal: FieldReason = FieldReason.INVALID
    scope: RuleScope = RuleScope.WRITES

    def schema(self) -> dict[str, Any]:
        """Write the rule as an entry of `x-kubernetes-validations`."""
        entry: dict[str, Any] = {"rule": self.expression, "message": self.message}
        if self.scope is RuleScope.CREATION:
            entry |= {"rule": f"oldSelf.hasValue() || {self.expression}", "optionalOldSelf": True}
        if self.field:
            entry["fieldPath"] = f".{self.field}"
        if self.refusal is not FieldReason.INVALID:
            entry["reason"] = self.refusal.value
        return entry


def validations(*rules: Rule) -> dict[str, Any]:
    """Attach rules to the schema of a model (model_config) or of a field (Field)."""
    return {"x-kubernetes-validations": [rule.schema() for rule in rules]}


def exactly_one(*fields: str) -> Rule:
    """Require that one of the fields is set and no other."""
    named = ", ".join(f"has(self.{field})" for field in fields)
    words = f"{', '.join(fields[:-1])} and {fields[-1]}"
    return Rule(f"[{named}].exists_one(x, x)", f"exactly one of {words} must be set")


def forbidden(field: str, instead: str) -> Rule:
    """Refuse a field and say what to do instead."""
    return Rule(f"!has(self.{field})", instead, field, FieldReason.FORBIDDEN)
