"""All starts of an installation can be held, by a setting or, while it runs, by a ConfigMap."""

from __future__ import annotations

import pytest
from testkit.processes.operators import (
    JsonObject,
    Starter,
    Sundial,
    build_scheduled_job,
)

from sundial_devcluster.polling import until

EVERY_SECOND = {"interval": {"seconds": 1}}


def _hold(sundial: Sundial, value: str) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "sundial"},
        "data": {"hold": value},
    }
    sundial.apply(manifest)


def _missed(sundial: Sundial, name: str) -> int:
    verdicts: JsonObject = sundial.status(name).get("counters", {}).get("verdicts", {})
    return int(verdicts.get("missed", {}).get("Held", 0))


def _until_held(sundial: Sundial) -> None:
    until(lambda: f"starts: held by the ConfigMap {sundial.ns}/sundial" in sundial.health("/readyz")[1])


def test_a_config_map_holds_all_starts_and_lets_them_go_on(start_operator: Starter) -> None:
    sundial = start_operator()
    sundial.apply(build_scheduled_job("tick", EVERY_SECOND, history={"successful": 100}))
    until(lambda: sundial.jobs("tick"))
    _hold(sundial, "true")
    _until_held(sundial)
    until(lambda: _missed(sundial, "tick") >= 3)
    assert "sundial_held 1.0" in sundial.health("/metrics")[1]
    before = len(sundial.jobs("tick"))
    _hold(sundial, "false")
    until(lambda: len(sundial.jobs("tick")) > before)


@pytest.mark.parametrize("by", ["setting", "ConfigMap"])
def test_a_new_leader_starts_nothing_that_is_held(by: str, start_operator: Starter) -> None:
    sundial = start_operator(SUNDIAL_HOLD="true" if by == "setting" else "false")
    if by == "ConfigMap":
        _hold(sundial, "yes")
        _until_held(sundial)
        sundial.end()
        sundial.start()
    sundial.apply(build_scheduled_job("tick", EVERY_SECOND))
    until(lambda: _missed(sundial, "tick") >= 2)
    assert sundial.jobs("tick") == []
