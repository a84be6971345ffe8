"""What the status of a TaskFunction says, and what touches it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from testkit.scheduled_jobs import (
    TEMPLATE,
    at,
    build_scheduled_job,
    build_spec,
    nest,
    read_condition,
)

from sundial_core.resources.nesting import MAX_LEVELS
from sundial_core.resources.objects import ScheduledJob, TaskFunction
from sundial_core.status.task_functions import DeliveredRunner, build_function_status, find_elder
from sundial_operator.inputs.function_index import FunctionIndex

CONTAINER = {"handler": {"container": {}}, "template": {}}


def build_function(name: str = "report", /, created: float = 0, **fields: Any) -> TaskFunction:
    how = {"generation": fields.pop("generation", 1), "status": fields.pop("status", {})}
    return TaskFunction(
        uid=f"uid-{name}",
        resource_version=5,
        ns="team",
        name=name,
        created_at=at(created),
        spec=CONTAINER | fields,
        **how,
    )


def build_user(name: str | None = "report", reason: str = "") -> ScheduledJob:
    reference = {"template": None, "taskFunctionRef": {"name": name}} if name else {}
    job = build_scheduled_job(build_spec(**reference))
    return replace(job, status={"conditions": [{"type": "Ready", "reason": reason}]} if reason else {})


@pytest.mark.parametrize(
    ("function", "elder", "expected"),
    [
        pytest.param(build_function(), None, ("True", "Accepted"), id="container"),
        pytest.param(
            build_function(handler={"celery": {"task": "a"}}, template=TEMPLATE),
            None,
            ("True", "Accepted"),
            id="Celery task",
        ),
        pytest.param(
            build_function(handler={"function": {"path": "a.b"}}),
            None,
            ("False", "TemplateInvalid"),
            id="no container for the runner",
        ),
        pytest.param(build_function(template=None), None, ("False", "TemplateMissing"), id="no template"),
        pytest.param(
            build_function(parametersSchema={"a": nest(MAX_LEVELS)}),
            None,
            ("False", "InvalidSpec"),
            id="nested too deeply",
        ),
        pytest.param(
            build_function(parametersSchema={"type": "intger"}),
            None,
            ("False", "InvalidParametersSchema"),
            id="a schema that cannot be used",
        ),
        pytest.param(
            build_function(), build_function("older"), ("False", "DuplicateName"), id="its name is taken"
        ),
    ],
)
def test_whether_jobs_can_run_it(
    function: TaskFunction, elder: TaskFunction | None, expected: tuple[str, str]
) -> None:
    status = build_function_status(function, elder, [], None, at(10))
    assert read_condition(status, "Ready") == expected
    again = build_function(status=status, **function.spec)
    assert build_function_status(again, elder, [], None, at(99))["conditions"] == status["conditions"]


def test_the_first_users_are_named_and_all_are_counted() -> None:
    users = [f"job-{n:02}" for n in range(99, -1, -1)]
    used_by = build_function_status(build_function(), None, users, None, at(10))["usedBy"]
    assert used_by == {"count": 100, "names": [f"job-{n:02}" for n in range(10)]}


CALLED = build_function(handler={"function": {"path": "a.b"}}, template=TEMPLATE)


def test_the_runner_of_the_namespace_is_named() -> None:
    status = build_function_status(CALLED, None, [], DeliveredRunner("sundial-runner-1"), at(10))
    assert (read_condition(status, "Ready")[1], status["runner"]) == ("Accepted", "sundial-runner-1")
    assert "runner" not in build_function_status(build_function(), None, [], None, at(10))


def test_a_runner_that_may_not_be_brought_is_told_with_the_command_that_prints_it() -> None:
    refused = DeliveredRunner("sundial-runner-1", "403 Forbidden: no")
    status = build_function_status(CALLED, None, [], refused, at(10))
    assert read_condition(status, "Ready") == ("False", "RunnerMissing")
    message = status["conditions"][0]["message"]
    assert "ConfigMap sundial-runner-1 cannot be created in this namespace: 403 Forbidden: no." in message
    assert "sundial-operator runner-manifest -n team" in message


def test_namespaces_need_the_runner_for_as_long_as_they_have_a_function_for_it() -> None:
    index = FunctionIndex()
    index.note_function(None, CALLED)
    index.note_function(None, build_function("plain"))
    assert index.list_runner_namespaces() == {"team"}
    index.touched.clear()
    index.touch_namespace("team")
    index.touch_namespace("other")
    assert index.touched == {CALLED.uid}
    index.note_function(CALLED, build_function())
    assert index.list_runner_namespaces() == set()
    index.note_function(build_function(), CALLED)
    index.note_function(CALLED, None)
    assert index.list_runner_namespaces() == set()


@pytest.mark.parametrize(
    ("others", "elder"),
    [
        pytest.param([], None, id="alone"),
        pytest.param([build_function("b", created=-1)], "b", id="an older one"),
        pytest.param([build_function("b", created=1)], None, id="a younger one"),
        pytest.param([build_function("a", created=0)], "a", id="as old: by UID"),
    ],
)
def test_the_oldest_keeps_its_name(others: list[TaskFunction], elder: str | None) -> None:
    found = find_elder(build_function(), others)
    assert (found.name if found else None) == elder


def test_namesakes_are_those_with_the_same_name_in_the_api() -> None:
    index = FunctionIndex()
    one, two, three = build_function("a"), build_function("b", name="a"), build_function("c")
    for function in (one, two, three):
        index.note_function(None, function)
    assert {f.name for f in index.list_namesakes(one)} == {"a", "b"}
    index.touched.clear()
    index.note_function(two, build_function("b", name="b", generation=2))
    assert (index.list_namesakes(one), index.touched) == ([one], {"uid-a", "uid-b"})


def test_users_come_and_go() -> None:
    index, function, user = FunctionIndex(), build_function(), build_user()
    index.note_function(None, function)
    index.touched.clear()
    index.note_user(None, user)
    assert (index.list_users(function), index.touched) == ({user.uid: "tick"}, {function.uid})
    index.touched.clear()
    index.note_user(user, user)
    assert index.touched == set()
    index.note_user(user, build_user(None))
    assert (index.list_users(function), index.touched) == ({}, {function.uid})


def test_users_whose_args_do_not_fit_are_counted_until_they_are_mended_or_gone() -> None:
    index, function = FunctionIndex(), build_function()
    index.note_function(None, function)
    new, misfit, other = build_user(), build_user(reason="InvalidArgs"), build_user("other", "InvalidArgs")
    counts = []
    steps = [(None, new), (new, misfit), (misfit, new), (new, misfit), (misfit, other), (other, misfit)]
    for before, after in [*steps, (misfit, None)]:
        index.touched.clear()
        index.note_user(before, after)
        assert index.touched == {function.uid}
        counts.append(index.count_misfits(function))
    assert counts == [0, 1, 0, 1, 0, 1, 0]
    assert build_function_status(function, None, [], None, at(10), 3)["invalidArgs"] == 3


@pytest.mark.parametrize(("generation", "is_woken"), [(1, False), (2, True)], ids=["status", "spec"])
def test_only_a_change_of_the_spec_concerns_its_users(generation: int, is_woken: bool) -> None:  # noqa: FBT001
    index, function, user = FunctionIndex(), build_function(), build_user()
    assert index.note_function(None, function) == []
    index.note_user(None, user)
    changed = build_function(generation=generation, status={"usedBy": {"count": 1}})
    assert index.note_function(function, changed) == ([user.uid] if is_woken else [])
    assert index.note_function(changed, None) == [user.uid]


def test_a_function_that_was_made_anew_is_found() -> None:
    index, user = FunctionIndex(), build_user()
    old, new = build_function(), build_function("again")
    new = TaskFunction(new.uid, 9, old.ns, old.name, 1, at(5), old.spec, {})
    index.note_function(None, old)
    index.note_function(None, new)
    index.note_function(old, None)
    assert index.find_named(user) is new
