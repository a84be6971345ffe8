"""The fence: the text of its policy, the Job that probes it, and what the leader makes of the answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from sundial_core.coordination.fence import (
    FenceState,
    build_fence,
    build_probe,
    classify_probe,
)
from sundial_core.decision.create_error_kinds import is_fence_refusal
from sundial_kube.errors import ApiError, ApiUnreachable, NotLeading
from sundial_kube.resources import JOBS
from sundial_operator.leading.fence_probe import FenceProbe
from sundial_operator.settings import OperatorSettings

POLICY = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "sundial-fence.team.x"},
    "spec": {
        "failurePolicy": "Fail",
        "paramKind": {"apiVersion": "sundial.dev/v1alpha1", "kind": "LeaderTerm"},
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": ["batch"],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["jobs"],
                }
            ],
            "objectSelector": {"matchLabels": {"sundial.dev/installation": "team.x"}},
        },
        "validations": [
            {
                "expression": (
                    "has(object.metadata.annotations)"
                    " && 'sundial.dev/term' in object.metadata.annotations"
                    " && int(object.metadata.annotations['sundial.dev/term']) == params.spec.term"
                ),
                "message": "sundial-fence.team.x: this Job is of another term than the leader's",
                "reason": "Forbidden",
            }
        ],
    },
}
BINDING = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "sundial-fence.team.x"},
    "spec": {
        "policyName": "sundial-fence.team.x",
        "paramRef": {"name": "x", "namespace": "team", "parameterNotFoundAction": "Deny"},
        "validationActions": ["Deny"],
    },
}
PROBE = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {
        "name": "sundial-fence-probe-7",
        "namespace": "team",
        "labels": {"sundial.dev/installation": "team.x"},
        "annotations": {"sundial.dev/term": "7"},
    },
    "spec": {"template": {}},
}
FENCED = ApiError(403, "Forbidden", f"denied: {POLICY['spec']['validations'][0]['message']}")  # type: ignore[index]
OTHERS = ApiError(403, "Forbidden", 'User "x" cannot create resource "jobs"')


def test_the_policy_refuses_jobs_of_the_installation_without_the_leaders_term() -> None:
    assert build_fence("team.x", "team", "x") == [POLICY, BINDING]


def test_the_probe_is_a_job_of_the_installation_and_of_that_term() -> None:
    probe = build_probe("team.x", "team", 7, "registry/sundial:1")
    pod = probe["spec"]["template"].pop("spec")
    assert probe == PROBE
    assert [one["image"] for one in pod["containers"]] == ["registry/sundial:1"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(FENCED.message, True, id="ours"),
        pytest.param(OTHERS.message, False, id="the authoriser's"),
        pytest.param("denied by policy 'fence.team.x'", False, id="another policy's"),
    ],
)
def test_a_refusal_of_the_fence_is_told_by_its_policys_name(message: str, expected: object) -> None:
    assert is_fence_refusal(message) is expected


@pytest.mark.parametrize(
    ("own", "older", "expected"),
    [
        pytest.param("passes", "refused", FenceState.OK, id="works"),
        pytest.param("passes", "passes", FenceState.ABSENT, id="not there"),
        pytest.param("refused", "refused", FenceState.BROKEN, id="refuses the leader"),
        pytest.param("refused", "passes", FenceState.BROKEN, id="refuses the leader, and not the one before"),
    ],
)
def test_the_state_of_the_fence(own: str, older: str, expected: FenceState) -> None:
    assert classify_probe(own == "passes", older == "passes") is expected


class Fenced:
    """A client to which each term's Job passes or meets an error."""

    def __init__(self, answers: dict[int, Exception | None]) -> None:
        self.answers = answers
        self.sent: list[tuple[Any, ...]] = []

    async def dry_run_create(self, *request: Any) -> None:
        self.sent.append(request)
        error = self.answers[int(request[-1]["metadata"]["annotations"]["sundial.dev/term"])]
        if error is not None:
            raise error


class Pauses:
    """Keeps for how long was to be slept, and ends what wants to sleep."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        raise asyncio.CancelledError


async def probe(client: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[FenceProbe, Pauses]:
    """Let a leader of term 7 probe once."""
    pauses = Pauses()
    monkeypatch.setattr("sundial_operator.leading.fence_probe.asyncio.sleep", pauses)
    found = FenceProbe(client, OperatorSettings(namespace="team", release="x"), lambda: 7)
    assert found.state is FenceState.UNKNOWN
    with pytest.raises(asyncio.CancelledError):
        await found.run()
    return found, pauses


@pytest.mark.parametrize(
    ("own", "older", "state", "pause"),
    [
        pytest.param(None, FENCED, FenceState.OK, 60, id="works: again in a minute"),
        pytest.param(None, None, FenceState.ABSENT, 5, id="not there: again soon"),
        pytest.param(FENCED, FENCED, FenceState.BROKEN, 5, id="refuses the leader"),
        pytest.param(None, OTHERS, FenceState.UNKNOWN, 5, id="refused by somebody else"),
        pytest.param(ApiUnreachable("no answer"), FENCED, FenceState.UNKNOWN, 5, id="no answer"),
        pytest.param(NotLeading(), NotLeading(), FenceState.UNKNOWN, 5, id="not the leader any more"),
    ],
)
async def test_what_a_probe_finds(
    own: Any, older: Any, state: FenceState, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, pauses = await probe(Fenced({7: own, 6: older}), monkeypatch)
    assert (found.state, pauses.seconds) == (state, [pause])


async def test_the_leaders_term_and_the_one_before_are_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Fenced({7: None, 6: FENCED})
    await probe(client, monkeypatch)
    assert client.sent == [(JOBS, "team", build_probe("team.x", "team", term)) for term in (7, 6)]


async def test_each_change_of_the_fence_is_logged_and_one_that_is_not_seen_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Fenced({7: None, 6: FENCED})
    with capture_logs() as logs:
        found, _ = await probe(client, monkeypatch)
        for older in (FENCED, ApiUnreachable("no answer")):
            client.answers[6] = older
            with pytest.raises(asyncio.CancelledError):
                await found.run()
    assert found.state is FenceState.UNKNOWN
    assert [one["state"] for one in logs if one["event"] == "fence"] == ["ok", "unknown"]
