"""What a tenant nests deeper than anybody can write again is told, and stops nobody else."""

from __future__ import annotations

import json
import signal

import pytest
from testkit.processes.operators import JsonObject, Sundial, build_scheduled_job

from sundial_devcluster.polling import until

EVERY_SECOND = {"interval": {"seconds": 1}}
YEARLY = {"cron": "0 0 1 1 *"}
DEEP = "deeply nested"
GROUP = "/apis/sundial.dev/v1alpha1"


def build(kind: str, name: str, spec: JsonObject) -> JsonObject:
    """Build one of our objects."""
    return {"apiVersion": "sundial.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def create(sundial: Sundial, manifest: JsonObject, levels: int) -> None:
    """Create an object with so many lists in each other where DEEP stands."""
    text = json.dumps(manifest).replace(json.dumps(DEEP), "[" * levels + "]" * levels)
    sundial.cluster.kubectl("create", "-n", sundial.ns, "-f", "-", input=text)


@pytest.mark.parametrize("levels", [100, 1100, 9000])
def test_what_is_nested_too_deeply_is_told_and_the_others_run(sundial: Sundial, levels: int) -> None:
    good, deep, user = f"good-{levels}", f"deep-{levels}", f"user-{levels}"
    sundial.apply(build_scheduled_job(good, EVERY_SECOND, concurrency={"policy": "Allow"}))
    template = build_scheduled_job("x", {})["spec"]["template"]
    function = {"handler": {"container": {}}, "template": template, "parametersSchema": {"deep": DEEP}}
    create(sundial, build_scheduled_job(deep, EVERY_SECOND, args={"deep": DEEP}), levels)
    create(sundial, build("TaskFunction", deep, function), levels)
    sundial.apply(build_scheduled_job(user, YEARLY, taskFunctionRef={"name": deep}))
    request = {"scheduledJobName": good, "args": {"deep": DEEP}}
    create(sundial, build("ScheduledJobRun", deep, request), levels)
    check(sundial, good, deep, user)
    sundial.end(signal.SIGKILL)
    sundial.start()
    check(sundial, good, deep, user)


def check(sundial: Sundial, good: str, deep: str, user: str) -> None:
    """All four are told what to write instead, and a schedule beside goes on."""
    until(lambda: "spec.args: nested more than 64 levels" in read(sundial, f"sj/{deep}", "Ready"))
    until(lambda: "spec.parametersSchema: nested more" in read(sundial, f"tf/{deep}", "Ready"))
    until(lambda: f"TaskFunction {deep}: spec.parametersSchema" in read(sundial, f"sj/{user}", "Ready"))
    until(lambda: "spec.args: nested more than 64 levels" in read(sundial, f"sjr/{deep}", "Complete"))
    before = count_starts(sundial, good)
    until(lambda: count_starts(sundial, good) > before + 1)


def read(sundial: Sundial, name: str, kind: str) -> str:
    """Read the message of a condition; the test's own parser does not take such an object."""
    path = f"jsonpath={{.status.conditions[?(@.type=='{kind}')].message}}"
    return sundial.cluster.kubectl("get", name, "-n", sundial.ns, "-o", path)


def count_starts(sundial: Sundial, name: str) -> int:
    """Read how many slots of a schedule have started a run."""
    counters = sundial.status(name).get("counters", {})
    return int(counters.get("verdicts", {}).get("started", 0))
