"""What an audit log says was asked is held against what roles grant: too much is found, and too little."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testkit.role_rules import Grant
from testkit.used_permissions.audited_requests import Asked, read_asked
from testkit.used_permissions.comparisons import compare, describe_grant
from testkit.used_permissions.stories import Story, play

EVERYWHERE: Grant = (None, "batch", "jobs", "", "get")
HERE: Grant = ("team", "batch", "jobs", "", "get")
NAMED: Grant = ("team", "batch", "jobs", "a", "get")


def ask(verb: str = "get", resource: str = "jobs", ns: str = "team", name: str = "a", **how: Any) -> Asked:
    return Asked("me", verb, "batch", resource, ns, name, **{"is_allowed": True, **how})


@pytest.mark.parametrize(
    ("asked", "used"),
    [
        pytest.param(ask(), NAMED, id="the narrowest, by its name"),
        pytest.param(ask(name="b"), HERE, id="the narrowest, by its namespace"),
        pytest.param(ask(ns="other"), EVERYWHERE, id="one of all namespaces"),
    ],
)
def test_a_request_uses_the_narrowest_grant(asked: Asked, used: Grant) -> None:
    assert compare([asked], [EVERYWHERE, HERE, NAMED]) == compare([asked, asked], {EVERYWHERE, HERE, NAMED})
    assert compare([asked], [EVERYWHERE, HERE, NAMED]).used == {used}


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(ask(verb="list"), id="another verb"),
        pytest.param(ask(resource="jobs/status"), id="a subresource"),
        pytest.param(ask(ns=""), id="all namespaces, of a grant in one"),
        pytest.param(ask(ns="other"), id="another namespace"),
        pytest.param(ask(is_allowed=False), id="refused, whatever is granted"),
    ],
)
def test_what_no_grant_covers_is_told(asked: Asked) -> None:
    usage = compare([asked], [HERE])
    assert (usage.used, usage.ungranted) == (frozenset(), {asked})


def test_what_everybody_may_needs_no_grant_unless_it_is_refused() -> None:
    assert compare([ask(is_everybodys=True)], []).ungranted == frozenset()
    refused = ask(is_everybodys=True, is_allowed=False)
    assert compare([refused], []).ungranted == {refused}


def build_line(decision: str, reason: str, **reference: str) -> str:
    event = {
        "verb": "create",
        "user": {"username": "me"},
        "objectRef": {"resource": "jobs", "apiGroup": "batch", "namespace": "team", **reference},
        "annotations": {
            "authorization.k8s.io/decision": decision,
            "authorization.k8s.io/reason": reason,
        },
    }
    return json.dumps(event) + "\n"


def test_a_log_is_read_as_the_authoriser_saw_it() -> None:
    reason = 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to '
    lines = [
        build_line("allow", reason + 'ServiceAccount "me/team"', name="a"),
        build_line("allow", reason + 'Group "system:authenticated"'),
        build_line("forbid", "", subresource="status"),
        '{"verb": "get", "requestURI": "/apis"}\n',
        build_line("allow", reason)[:-20],
    ]
    created = ask("create", name="")
    everybodys = ask("create", name="", is_everybodys=True)
    assert [*read_asked(lines)] == [
        created,
        everybodys,
        ask("create", "jobs/status", name="", is_allowed=False),
    ]


def test_a_grant_is_written_as_a_request() -> None:
    assert describe_grant(NAMED) == "get jobs a (batch) in team"
    assert describe_grant((None, "", "pods", "", "list")) == "list pods (core) in all namespaces"


def test_stories_go_on_side_by_side_and_one_that_is_stuck_is_named() -> None:
    seen: list[str] = []

    def tell(name: str, other: str) -> Story:
        seen.append(name)
        yield lambda: other in seen

    play({"a": tell("a", "b"), "b": tell("b", "a")}, 10)
    with pytest.raises(TimeoutError, match=r"still waiting after 0.5 s: c$"):
        play({"c": tell("c", "d"), "a": tell("a", "b")}, 0.5)
