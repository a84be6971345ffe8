"""The Jobs that are created: the user's template as it is, with our marks, limits and variables."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from testkit.scheduled_jobs import TEMPLATE, UID, at

from sundial_core.resources import names
from sundial_core.resources.phases import Trigger
from sundial_core.runs.jobs import parse_job
from sundial_core.runs.manifests import (
    Attempt,
    Creator,
    Owner,
    build_environment,
    build_job,
)

OWNER = Owner("team", "tick", UID, 4)
RUN = names.build_run_id(UID, at(10))
ATTEMPT = Attempt(OWNER, RUN, Trigger.SCHEDULE, at(10), at(0), 1, {"n": 1}, 77)
CREATOR = Creator("sundial-system.sundial", "process-1", 12)


def build(template: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return build_job(replace(ATTEMPT, **fields), template or TEMPLATE, CREATOR)


def with_pod(**fields: Any) -> dict[str, Any]:
    spec = TEMPLATE["spec"]["template"]["spec"] | fields
    return {"spec": {"template": {"spec": spec}}}


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = job["spec"]["template"]
    return pod


def expand(value: str, variables: dict[str, str]) -> str:
    """Expand `$(NAME)` as the kubelet does; `$$` stands for `$`."""
    pattern = re.compile(r"\$\$|\$\(([^)]*)\)")
    return pattern.sub(lambda found: "$" if found[0] == "$$" else variables.get(found[1], found[0]), value)


def test_a_job_carries_what_it_is_read_back_from() -> None:
    job = build()
    job["metadata"] |= {"uid": "x", "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:10Z"}
    seen = parse_job(job)
    assert (seen.owner_uid, seen.run_id, seen.slot, seen.attempt) == (UID, RUN, at(10), 1)
    assert (seen.name, seen.ns, seen.trigger) == (ATTEMPT.job_name, "team", Trigger.SCHEDULE)


def test_labels() -> None:
    assert build()["metadata"]["labels"] == {
        "sundial.dev/installation": "sundial-system.sundial",
        "sundial.dev/scheduled-job": "tick",
        "sundial.dev/scheduled-job-uid": UID,
        "sundial.dev/run": RUN,
        "sundial.dev/trigger": "schedule",
        "app.kubernetes.io/managed-by": "sundial",
    }


def test_annotations() -> None:
    assert build()["metadata"]["annotations"] == {
        "sundial.dev/scheduled-for": "2026-01-01T00:00:10Z",
        "sundial.dev/attempt": "1",
        "sundial.dev/term": "12",
        "sundial.dev/instance": "process-1",
        "sundial.dev/scheduled-job-generation": "4",
    }


def test_a_pod_has_the_labels_of_its_job_and_the_marks_that_people_look_for() -> None:
    marks = {"sundial.dev/scheduled-for": "2026-01-01T00:00:10Z", "sundial.dev/attempt": "1"}
    assert pod_of(build())["metadata"] == {"labels": build()["metadata"]["labels"], "annotations": marks}


def test_a_job_belongs_to_its_schedule() -> None:
    assert build()["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "sundial.dev/v1alpha1",
            "kind": "ScheduledJob",
            "name": "tick",
            "uid": UID,
            "controller": True,
        }
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("backoffLimit", 0),
        ("activeDeadlineSeconds", 77),
        ("podReplacementPolicy", "Failed"),
        ("parallelism", 3),
        ("ttlSecondsAfterFinished", None),
        ("suspend", None),
    ],
)
def test_attempts_are_ours_and_the_rest_is_the_users(path: str, expected: Any) -> None:
    template = {"spec": TEMPLATE["spec"] | {"parallelism": 3, "backoffLimit": 6, "activeDeadlineSeconds": 1}}
    assert build(template)["spec"].get(path) == expected


def test_a_disruption_ends_the_job() -> None:
    (rule,) = build()["spec"]["podFailurePolicy"]["rules"]
    assert rule == {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


@pytest.mark.parametrize("policy", [None, "OnFailure", "Never"])
def test_a_container_is_never_restarted_in_place(policy: str | None) -> None:
    job = build(with_pod(restartPolicy=policy) if policy else None)
    assert pod_of(job)["spec"]["restartPolicy"] == "Never"


def test_a_template_goes_through_with_fields_that_nobody_knows() -> None:
    job = build(with_pod(novelField={"x": [1, None]}, hostNetwork=False))
    assert (pod_of(job)["spec"]["novelField"], pod_of(job)["spec"]["hostNetwork"]) == (
        {"x": [1, None]},
        False,
    )


@pytest.mark.parametrize("where", ["labels", "annotations"])
def test_marks_of_a_template_are_kept_unless_they_are_ours(where: str) -> None:
    marks = {
        "team": "red",
        "sundial.dev/run": "forged",
        "sundial.dev/novel": "x",
        "batch.kubernetes.io/job-name": "y",
    }
    pod = TEMPLATE["spec"]["template"] | {"metadata": {where: marks}}
    job = build({"metadata": {where: marks, "name": "mine"}, "spec": {"template": pod}})
    for metadata in (job["metadata"], pod_of(job)["metadata"]):
        assert metadata[where]["team"] == "red"
        assert not {"sundial.dev/novel", "batch.kubernetes.io/job-name"} & set(metadata[where])
        assert metadata[where].get("sundial.dev/run") != "forged"
    assert job["metadata"]["name"] == ATTEMPT.job_name


def test_managed_by_is_ours() -> None:
    job = build({"metadata": {"labels": {names.MANAGED_BY: "helm"}}, "spec": TEMPLATE["spec"]})
    assert job["metadata"]["labels"][names.MANAGED_BY] == "sundial"


def test_a_template_is_not_changed() -> None:
    template = with_pod(initContainers=[{"name": "first"}])
    before = copy.deepcopy(template)
    build(template)
    assert template == before


def test_the_variables_that_a_container_sees() -> None:
    assert {entry["name"]: entry["value"] for entry in build_environment(ATTEMPT)} == {
        "SUNDIAL_RUN_ID": RUN,
        "SUNDIAL_SCHEDULED_FOR": "2026-01-01T00:00:10Z",
        "SUNDIAL_PREVIOUS_SLOT": "2026-01-01T00:00:00Z",
        "SUNDIAL_ATTEMPT": "1",
        "SUNDIAL_TRIGGER": "schedule",
        "SUNDIAL_ARGS": '{"n":1}',
    }


def test_what_does_not_exist_is_empty() -> None:
    attempt = replace(ATTEMPT, slot=None, previous_slot=None, args=None)
    found = {entry["name"]: entry["value"] for entry in build_environment(attempt)}
    assert (found["SUNDIAL_SCHEDULED_FOR"], found["SUNDIAL_PREVIOUS_SLOT"], found["SUNDIAL_ARGS"]) == (
        "",
        "",
        "{}",
    )


def test_our_variables_come_first_in_every_container_and_cannot_be_replaced() -> None:
    env = [{"name": "A", "value": "$(SUNDIAL_ARGS)"}, {"name": "SUNDIAL_ARGS", "value": "forged"}]
    containers = [{"name": "main", "env": env}, {"name": "side", "env": None}]
    pod = pod_of(build(with_pod(containers=containers, initContainers=[{"name": "first"}])))["spec"]
    ours = build_environment(ATTEMPT)
    assert [c["env"] for c in pod["containers"]] == [[*ours, env[0]], ours]
    assert [c["env"] for c in pod["initContainers"]] == [ours]


@given(
    st.dictionaries(st.text(), st.text(alphabet="$()aPASSWORD{} ") | st.integers(-(2**53), 2**53), max_size=5)
)
def test_args_arrive_as_they_were(args: dict[str, Any]) -> None:
    value = build_environment(replace(ATTEMPT, args=args))[-1]["value"]
    assert orjson.loads(expand(value, {"PASSWORD": "leaked", "": "leaked"})) == args


def test_dollars_in_args_are_not_expanded() -> None:
    value = build_environment(replace(ATTEMPT, args={"x": "$(PASSWORD) $$"}))[-1]["value"]
    assert value == '{"x":"$$(PASSWORD) $$$$"}'
