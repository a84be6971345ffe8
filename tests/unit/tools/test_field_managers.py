"""Is the simulated API server as honest about who wrote what, and when, as a real one?"""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise

import pytest
from testkit.field_managers import FieldManagers
from testkit.scheduled_jobs import CREATED
from testkit.user_edits import (
    RECORDING,
    SCENARIOS,
    TOUCHED,
    JsonObject,
    Step,
    tell,
)

RECORDED = json.loads(RECORDING.read_text())
TIMES = [CREATED + timedelta(minutes=number) for number in range(20)]
NOTHING: JsonObject = {"metadata": {}, "spec": {}}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_simulation_keeps_managed_fields_as_a_real_server_does(name: str) -> None:
    managers = FieldManagers()
    objects = [NOTHING, *(step["after"] for step in RECORDED[name])]
    for number, (step, (old, new)) in enumerate(zip(SCENARIOS[name], pairwise(objects), strict=True)):
        write(managers, step, (old, new), number)
        assert tell(managers.build(), TIMES[: number + 1]) == RECORDED[name][number]["managedFields"], step


def write(managers: FieldManagers, step: Step, change: tuple[JsonObject, JsonObject], number: int) -> None:
    if step.is_apply:
        manifest = step.manifest or {}
        spec = {name: manifest["spec"][name] for name in TOUCHED if name in manifest["spec"]}
        applied = {"metadata": manifest["metadata"], "spec": spec}
        managers.apply(step.manager, applied, *change, TIMES[number])
    else:
        managers.update(step.manager, *change, TIMES[number])


def test_a_removal_moves_no_time() -> None:
    last = RECORDED["a pause"][6]["managedFields"]
    assert {entry["manager"]: entry["step"] for entry in last} == {
        "kubectl-create": 0,
        "kubectl-annotate": 5,
        "kubectl-label": 2,
    }
