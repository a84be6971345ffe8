"""What users do to a ScheduledJob with kubectl, and what a real API server noted of it in managedFields.

The recording is `tests/testkit/user_edits.json`. `tests/cluster/test_user_edits.py` makes it, and compares it
with the real server; `tests/unit/tools/test_field_managers.py` compares the simulated server with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sundial_devcluster.polling import until

JsonObject = dict[str, Any]
Kubectl = Callable[..., str]

RECORDING = Path(__file__).with_name("user_edits.json")
NAME = "edited"
EDITOR = "sed -i -e /endsAt/d"
"""What `kubectl edit` is to do: the environment variable KUBE_EDITOR."""

TOUCHED = ("schedule", "suspend", "args")
"""The fields of a spec that the scenarios change; the rest is not recorded."""


@dataclass(frozen=True)
class Step:
    """One command of a user; `manager` is what the API server calls its program.

    `spec` and `annotations` are the manifest that the command reads, if it reads one.
    """

    manager: str
    command: str
    spec: JsonObject | None = None
    annotations: JsonObject | None = None

    @property
    def is_apply(self) -> bool:
        """Tell whether it is a server-side apply."""
        return "--server-side" in self.command

    @property
    def manifest(self) -> JsonObject | None:
        """What the command reads."""
        if self.spec is None:
            return None
        marks = {"annotations": self.annotations} if self.annotations else {}
        return {
            "apiVersion": "sundial.dev/v1alpha1",
            "kind": "ScheduledJob",
            "metadata": {"name": NAME, **marks},
            "spec": {"taskFunctionRef": {"name": "any"}, **self.spec},
        }


def _label(number: int) -> Step:
    return Step("kubectl-label", f"label sj {NAME} edit=number-{number} --overwrite")


def _annotate(mark: str) -> Step:
    return Step("kubectl-annotate", f"annotate sj {NAME} {mark} --overwrite")


def _patch(kind: str, patch: Any) -> Step:
    text = json.dumps(patch, separators=(",", ":"))
    return Step("kubectl-patch", f"patch sj {NAME} --type={kind} -p {text}")


def _apply(manager: str, schedule: JsonObject, paused: str = "", **rest: Any) -> Step:
    command = f"apply --server-side --field-manager={manager} --force-conflicts -f -"
    return Step(manager, command, {"schedule": schedule, **rest}, {PAUSED: paused} if paused else None)


def _send(verb: str, schedule: JsonObject, paused: str = "", **rest: Any) -> Step:
    manager = "kubectl-client-side-apply" if verb == "apply" else f"kubectl-{verb}"
    marks = {PAUSED: paused} if paused else None
    return Step(manager, f"{verb} -f -", {"schedule": schedule, **rest}, marks)


PAUSED = "sundial.dev/paused"
DAILY = {"cron": "0 9 * * *"}
AN_END = {"endsAt": "2030-01-01T00:00:00Z"}
UNTIL_2030 = DAILY | AN_END
UNTIL_2031 = DAILY | {"endsAt": "2031-01-01T00:00:00Z"}
BY_FIELDS = {"cronFields": {"hour": 9, "minute": "0"}}

SCENARIOS: dict[str, tuple[Step, ...]] = {
    "a pause": (
        _send("create", DAILY),
        _annotate(f"{PAUSED}=true"),
        _label(1),
        _annotate(f"{PAUSED}-"),
        _annotate(f"{PAUSED}=true"),
        _annotate("example.com/team=a"),
        _patch("json", [{"op": "remove", "path": "/metadata/annotations/sundial.dev~1paused"}]),
        _annotate(f"{PAUSED}=true"),
        _label(2),
        _patch("merge", {"metadata": {"annotations": {PAUSED: None}}}),
        _annotate(f"{PAUSED}=true"),
        _annotate(f"{PAUSED}=false"),
        _annotate(f"{PAUSED}=false"),
    ),
    "a suspension": (
        _send("create", DAILY),
        _patch("merge", {"spec": {"suspend": True}}),
        _label(1),
        _patch("merge", {"spec": {"suspend": False}}),
        _patch("merge", {"spec": {"suspend": True}}),
        _patch("merge", {"spec": {"suspend": None}}),
    ),
    "a window": (
        _send("create", UNTIL_2030),
        _label(1),
        _patch("json", [{"op": "remove", "path": "/spec/schedule/endsAt"}]),
        _patch("merge", {"spec": {"schedule": AN_END}}),
        _patch("merge", {"spec": {"schedule": {"endsAt": None}}}),
        _send("replace", UNTIL_2031),
        Step("kubectl-edit", f"edit sj {NAME}"),
        _send("replace", UNTIL_2031),
        _send("replace", DAILY),
    ),
    "cron fields": (
        _send("create", BY_FIELDS),
        _patch("merge", {"spec": {"schedule": {"cronFields": {"minute": None}}}}),
        _patch("merge", {"spec": {"schedule": {"cronFields": None, "interval": {"hours": 1}}}}),
    ),
    "kubectl apply": (
        _send("apply", UNTIL_2030, paused="true"),
        _label(1),
        _send("apply", UNTIL_2030, paused="true"),
        _send("apply", DAILY, paused="true", suspend=True),
        _label(2),
        _send("apply", DAILY),
    ),
    "server-side apply": (
        _apply("one", UNTIL_2030, paused="true"),
        _label(1),
        _apply("one", UNTIL_2030, paused="true"),
        _apply("one", DAILY),
        _apply("one", UNTIL_2031, paused="true", suspend=True),
        _annotate(f"{PAUSED}-"),
        _apply("one", UNTIL_2031),
    ),
    "two who apply": (
        _apply("one", UNTIL_2030),
        _apply("two", UNTIL_2030, args={"a": 1}),
        _apply("two", UNTIL_2030, args={"a": 2}),
        _apply("one", UNTIL_2031),
        _apply("two", DAILY, args={"a": 2}),
        _apply("two", UNTIL_2031, args={"a": 2}),
        _apply("one", DAILY),
        _patch("merge", {"spec": {"schedule": AN_END}}),
        _apply("two", DAILY, args={"a": 2}),
    ),
    "applied over": (
        _send("create", UNTIL_2030),
        _apply("one", UNTIL_2030),
        _apply("one", UNTIL_2031),
        _send("replace", UNTIL_2030),
    ),
    "who applies what is there": (
        _apply("one", UNTIL_2030),
        _apply("two", UNTIL_2030),
        _apply("two", UNTIL_2031),
        _apply("one", UNTIL_2031),
        _apply("two", DAILY),
        _apply("one", UNTIL_2031, args={"a": 1}),
    ),
}


def record(kubectl: Kubectl, steps: tuple[Step, ...]) -> Iterator[JsonObject]:
    """Do the steps, no two in the same second, and give what the API server says after each."""
    begun: list[datetime] = []
    for step in steps:
        last = _read_second()
        begun.append(until(lambda last=last: (now := _read_second()) > last and now))  # type: ignore[misc]
        kubectl(*step.command.split(), input=json.dumps(step.manifest) if step.manifest else None)
        item = json.loads(kubectl("get", "sj", NAME, "-o", "json", "--show-managed-fields"))
        yield {"after": _keep(item), "managedFields": tell(item["metadata"]["managedFields"], begun)}


def write_recording(recorded: dict[str, list[JsonObject]]) -> None:
    """Write a recording, a step in a line."""
    texts = {name: ",\n".join(map(json.dumps, steps)) for name, steps in recorded.items()}
    scenarios = (f"{json.dumps(name)}: [\n{text}\n]" for name, text in texts.items())
    RECORDING.write_text("{\n" + ",\n".join(scenarios) + "\n}\n")


def tell(entries: list[JsonObject], begun: list[datetime]) -> list[JsonObject]:
    """Write managedFields in short: who, how, which leaves, and in which step, from 0, the time lies.

    One who has only ever applied what was there already has no time.
    """
    told = [
        {
            "manager": entry["manager"],
            "operation": entry["operation"],
            "step": _find_step(entry["time"], begun) if "time" in entry else None,
            "fields": sorted(filter(_is_recorded, list_leaves(entry["fieldsV1"]))),
        }
        for entry in entries
    ]
    return sorted(told, key=lambda entry: (entry["manager"], entry["operation"]))


def _find_step(time: str, begun: list[datetime]) -> int:
    return sum(when <= datetime.fromisoformat(time) for when in begun) - 1


def list_leaves(fields: JsonObject, path: str = "") -> Iterator[str]:
    """List the leaves of a fieldsV1; that a map itself is owned is left out."""
    for name, below in fields.items():
        if name != ".":
            here = f"{path}/{name.removeprefix('f:')}"
            yield from list_leaves(below, here) if below else [here]


def _is_recorded(leaf: str) -> bool:
    parts = leaf.split("/")
    return parts[1] == "metadata" or parts[2] in TOUCHED


def _read_second() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _keep(item: JsonObject) -> JsonObject:
    """Keep what users wrote; kubectl notes in an annotation what it applied, the namespace included."""
    marks = {
        kind: {name: text.replace(item["metadata"]["namespace"], "any") for name, text in found.items()}
        for kind in ("labels", "annotations")
        if (found := item["metadata"].get(kind))
    }
    return {"metadata": marks, "spec": {name: item["spec"][name] for name in TOUCHED if name in item["spec"]}}
