"""Does the API server refuse what is wrong, with the message that the counter-example names in its comments?

`counterexamples` has one file for each rule: the comments at its top are the lines that kubectl must print.
"""

import json
import re
from pathlib import Path

import pytest

from sundial_devcluster.cluster import Cluster, KubectlError

COUNTEREXAMPLES = sorted((Path(__file__).parent / "counterexamples").glob("*.yaml"))
AFTERTHOUGHT = "some validation rules were not checked because the object was invalid"
RUN = "{apiVersion: sundial.dev/v1alpha1, kind: ScheduledJobRun, metadata: {name: run}, spec: %s}"
TERM = "{apiVersion: sundial.dev/v1alpha1, kind: LeaderTerm, metadata: {name: term}, spec: %s}"


def expected_lines(text: str) -> list[str]:
    return [line.removeprefix("# ") for line in text.splitlines() if line.startswith("#")]


def refusal_lines(stderr: str) -> list[str]:
    text = re.sub(r"^Error from server \(BadRequest\): .* cannot be handled as a \w+: ", "", stderr.strip())
    text = re.sub(r"^The \w+ \"[^\"]*\" is invalid: ?", "", text)
    return [line.removeprefix("* ") for line in text.splitlines() if line and AFTERTHOUGHT not in line]


def refusal(cluster: Cluster, *arguments: str, text: str | None = None) -> list[str]:
    with pytest.raises(KubectlError) as refused:
        cluster.kubectl(*arguments, input=text)
    return refusal_lines(refused.value.stderr)


@pytest.mark.parametrize("path", COUNTEREXAMPLES, ids=lambda path: path.stem)
def test_counterexample_is_refused_with_its_message(cluster: Cluster, path: Path) -> None:
    text = path.read_text()
    assert refusal(cluster, "apply", "--dry-run=server", "-f", "-", text=text) == expected_lines(text)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"reason": "another"}, id="changed"),
        pytest.param({"args": {"unknown": {"deep": 2}}}, id="changed-deep-in-args"),
        pytest.param({"ttlSecondsAfterFinished": 60}, id="added"),
        pytest.param({"requestedBy": None}, id="removed"),
    ],
)
def test_spec_of_a_run_never_changes(cluster: Cluster, namespace: str, spec: dict[str, object]) -> None:
    before = "{scheduledJobName: a, reason: why, requestedBy: Maryam, args: {unknown: {deep: 1}}}"
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=RUN % before)
    patch = json.dumps({"spec": spec})
    told = refusal(cluster, "patch", "sjr", "run", "-n", namespace, "--type=merge", "-p", patch)
    assert told == ["spec: Invalid value: cannot be changed; create another ScheduledJobRun instead"]


def test_spec_of_a_run_cannot_be_removed(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=RUN % "{scheduledJobName: a}")
    patch = json.dumps([{"op": "remove", "path": "/spec"}])
    told = refusal(cluster, "patch", "sjr", "run", "-n", namespace, "--type=json", "-p", patch)
    assert told == ["spec: Required value"]


def test_leader_term_never_goes_down(cluster: Cluster, namespace: str) -> None:
    spec = '{term: 7, holder: a, since: "2026-01-01T00:00:00Z"}'
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=TERM % spec)
    patch = ("patch", "leaderterm", "term", "-n", namespace, "--type=merge", "-p")
    told = refusal(cluster, *patch, '{"spec": {"term": 6}}')
    assert told == ["spec.term: Invalid value: must not go down; the term rises with each takeover"]
    cluster.kubectl(*patch, '{"spec": {"term": 8}}')


def test_there_are_counterexamples_for_each_kind() -> None:
    kinds = {re.findall(r"^kind: (\w+)$", path.read_text(), re.MULTILINE)[0] for path in COUNTEREXAMPLES}
    assert kinds == {"ScheduledJob", "TaskFunction", "ScheduledJobRun", "LeaderTerm"}
    assert all(expected_lines(path.read_text()) for path in COUNTEREXAMPLES)
