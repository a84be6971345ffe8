"""Does a real API server keep managedFields as the recording has it, which the simulation is held to?

A new recording, after the scenarios have changed: delete the file, and run this.
"""

from __future__ import annotations

import json
from functools import partial

import pytest
from testkit.user_edits import (
    EDITOR,
    NAME,
    RECORDING,
    SCENARIOS,
    record,
    write_recording,
)

from sundial_devcluster.cluster import Cluster


def test_the_recording_is_what_the_api_server_does(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBE_EDITOR", EDITOR)
    kubectl = partial(cluster.kubectl, f"--namespace={namespace}")
    recorded = {}
    for name, steps in SCENARIOS.items():
        recorded[name] = list(record(kubectl, steps))
        kubectl("delete", "sj", NAME)
    if not RECORDING.exists():
        write_recording(recorded)
    assert recorded == json.loads(RECORDING.read_text())
