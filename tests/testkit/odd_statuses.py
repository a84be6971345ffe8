"""What nobody has written and the CRDs accept all the same: instants, and statuses from their schemas."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import yaml
from testkit.scheduled_jobs import UID, at

from sundial_core.resources import names

CRDS = Path(__file__).parents[2] / "crds"
RUN = names.build_run_id(UID, at(10))
INSTANTS = (
    *["2026-01-01T00:00:10Z", "2026-01-01T00:00:20Z", "2025-01-01T00:00:00Z"] * 4,
    "2026-01-01T02:00:05+02:00",
    "2026-01-01T00:00:30.123456Z",
    "2026-01-01T00:00:10.123456789Z",
    "2026-01-01t00:00:10z",
    "2016-12-31T23:59:60Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-14:00",
)
WORDS = (
    "",
    "x",
    "schedule",
    "manual",
    RUN,
    "tick-zkxb2h6ibh",
    "TooLate",
    "Started",
    "Skipped",
    "Failed",
    "é",
)


def read_schema(plural: str) -> dict[str, Any]:
    """Read the schema of a kind's status."""
    crd = yaml.safe_load((CRDS / f"{plural}.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert isinstance(schema, dict)
    return schema


def draw(schema: dict[str, Any], dice: random.Random) -> Any:
    """Draw a value that a schema accepts."""
    kind = schema.get("type")
    if kind == "object":
        return _draw_object(schema, dice)
    if kind == "array":
        return [draw(schema["items"], dice) for _ in range(dice.choice([0, 1, 2, 5]))]
    if kind == "integer":
        return dice.choice([-5, 0, 1, 7, 2**31 - 1])
    assert kind == "string", schema
    return dice.choice(INSTANTS if schema.get("format") == "date-time" else WORDS)


def _draw_object(schema: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    needed = schema.get("required", ())
    fields = schema.get("properties", {}).items()
    drawn = {name: draw(field, dice) for name, field in fields if name in needed or dice.random() < 0.7}
    if "additionalProperties" in schema:
        drawn |= {word: draw(schema["additionalProperties"], dice) for word in dice.sample(WORDS, 2)}
    return drawn
