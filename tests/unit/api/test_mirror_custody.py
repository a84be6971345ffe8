"""Which facts about a run are believed, each rule by itself (docs/architecture.md, "Chain of custody")."""

from __future__ import annotations

from dataclasses import replace

import pytest
from testkit.mirror_facts import ASKED_ID, asked_fact, job_fact, pod_fact, stand, tell, told_fact

from sundial_api.mirror.projection.custody import RunOwner, is_credible
from sundial_api.mirror.projection.executions import build_row, load
from sundial_api.mirror.projection.merging import merge
from sundial_api.mirror.projection.run_facts import RunFact, RunRequestFact

OWNER = RunOwner("team", "tick")
OTHER_UID = "22222222-2222-4222-8222-222222222222"


def claim(fact: RunFact, **identity: str) -> RunFact:
    return replace(fact, identity=replace(fact.identity, **identity))


def ask_for(name: str) -> RunFact:
    fact = asked_fact()
    assert isinstance(fact.part, RunRequestFact)
    return replace(fact, part=replace(fact.part, parent_name=name))


@pytest.mark.parametrize(
    "fact",
    [
        pytest.param(claim(told_fact(), namespace="other"), id="of another namespace"),
        pytest.param(told_fact(runId=ASKED_ID), id="of a slot whose run has another id"),
        pytest.param(claim(told_fact(), slot="no slot"), id="of what is no slot"),
        pytest.param(replace(job_fact(), named_for="tock"), id="a Job with another's name"),
        pytest.param(
            replace(asked_fact(), part=replace(asked_fact().part, parent_name="tock")), id="for another"
        ),
    ],
)
def test_what_is_not_credible(fact: RunFact) -> None:
    assert not is_credible(fact, OWNER)


def test_what_is_credible() -> None:
    facts = (job_fact(), pod_fact(), told_fact(), asked_fact())
    assert [is_credible(fact, owner) for fact in facts for owner in (OWNER, None)] == [True] * 8


@pytest.mark.parametrize("changes", [{"namespace": "other"}, {"job_id": OTHER_UID}], ids=str)
def test_a_proved_run_takes_nothing_of_another(changes: dict[str, str]) -> None:
    known = tell(job_fact())
    assert merge(known, claim(told_fact("Failed"), **changes)) is known


def test_what_is_proved_takes_the_place_of_a_claim() -> None:
    claimed = claim(told_fact("Failed"), namespace="other", trigger="manual", job_id=OTHER_UID)
    assert tell(claimed, job_fact()) == tell(job_fact())
    assert tell(job_fact(), claimed) == tell(job_fact())


def test_a_claim_does_not_take_the_place_of_another() -> None:
    first = tell(claim(told_fact(), trigger="manual"))
    assert merge(first, claim(told_fact("Failed"), trigger="manual", namespace="other")) is first


def test_a_pod_among_the_attempts_of_an_older_row_waits_for_its_job() -> None:
    row = build_row(tell(job_fact()), stand(0))
    pod = build_row(tell(job_fact(), pod_fact()), stand(0)).attempts[0]["pod"]
    sources = {name: value for name, value in row.sources.items() if name != "early"}
    loaded = load(sources, [{"attempt": 1, "job": None, "pod": pod}])
    assert (loaded.attempts, loaded.early_pods[1].name) == ({}, "pod-a")
