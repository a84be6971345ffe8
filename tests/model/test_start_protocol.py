"""At most one Job per slot and attempt, one verdict per slot, whatever leaders and requests go through.

Every interleaving within the bounds of each row is visited; each rule of the protocol is then broken, and a
counterexample must be found.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from testkit.start_protocol.leader import (
    NO_CATCH_UP,
    ONE_RETRY,
    ONE_SLOT,
    TWO_SLOTS,
    Rules,
)
from testkit.start_protocol.search import Exploration, explore

from sundial_core.decision.job_creation import PendingCreate, Refused, Send
from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.runs.manifests import Creator, build_job
from sundial_core.status.verdicts import VerdictRecord

CAUGHT_UP = Rules(ONE_SLOT)
ONE_LEADER = replace(CAUGHT_UP, terms=1)
WITHOUT_FENCE = replace(CAUGHT_UP, has_fence=False)

BEYOND_CAP = replace(CAUGHT_UP, floor_ticks=20)
LATE_LANDING = Rules(NO_CATCH_UP, has_fence=False, troubles=0)


def check(found: Exploration) -> None:
    assert not found.violation, "\n".join([found.violation, *found.trace])
    assert found.ends


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(CAUGHT_UP, id="a late slot is caught up on"),
        pytest.param(Rules(NO_CATCH_UP), id="a late slot is missed"),
        pytest.param(Rules(TWO_SLOTS, last_tick=2, troubles=0), id="two slots"),
        pytest.param(Rules(ONE_RETRY, failures=1, troubles=0, most_under_way=1), id="two attempts"),
        pytest.param(WITHOUT_FENCE, id="without a fence"),
        pytest.param(replace(BEYOND_CAP, capped_ticks=3), id="beyond a cap"),
        pytest.param(LATE_LANDING, id="a Job that lands late corrects the verdict"),
    ],
)
def test_no_interleaving_breaks_the_promise(rules: Rules) -> None:
    check(explore(rules))


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(replace(ONE_LEADER, floor_ticks=0), id="no tombstone floor"),
        pytest.param(replace(WITHOUT_FENCE, floor_ticks=0, troubles=0), id="neither fence nor floor"),
        pytest.param(
            replace(BEYOND_CAP, capped_ticks=1, terms=1), id="a cap's floor is shorter than a create may take"
        ),
        pytest.param(replace(CAUGHT_UP, has_guard=False, troubles=0), id="statuses are not guarded"),
        pytest.param(
            replace(CAUGHT_UP, lists_consistently=False, troubles=0), id="a new leader trusts its old stores"
        ),
    ],
)
def test_each_rule_of_the_world_is_needed(rules: Rules) -> None:
    assert explore(rules).violation


def take_for_refusal(create: PendingCreate, _item: object) -> Refused:
    slot = create.attempt.slot
    assert slot is not None
    return Refused(VerdictRecord(slot, slot, 1, Verdict.SKIPPED, Reason.NAME_TAKEN, ""))


def ask_without_looking(create: PendingCreate, creator: Creator) -> Send:
    return create._send(creator)


def name_by_leader(create: PendingCreate, creator: Creator) -> Send:
    manifest = build_job(create.attempt, create.template, creator)
    name = f"{create.attempt.owner.name}-{creator.term}"
    return Send(manifest | {"metadata": manifest["metadata"] | {"name": name}})


@pytest.mark.parametrize(
    ("place", "wrong", "rules"),
    [
        pytest.param(
            "sundial_core.decision.job_deletions.is_stored_as_ended",
            lambda *_: True,
            replace(CAUGHT_UP, troubles=0),
            id="a Job is deleted before its outcome and the cursor are stored",
        ),
        pytest.param(
            "sundial_core.decision.job_creation.PendingCreate._ask",
            ask_without_looking,
            ONE_LEADER,
            id="asked again without looking",
        ),
        pytest.param(
            "sundial_core.decision.job_creation.PendingCreate._send",
            name_by_leader,
            CAUGHT_UP,
            id="names are not deterministic",
        ),
    ],
)
def test_each_rule_of_a_leader_is_needed(
    place: str, wrong: Any, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, wrong)
    assert explore(rules).violation


@pytest.mark.parametrize("rules", [LATE_LANDING, ONE_LEADER], ids=["a Job lands late", "409 is a failure"])
def test_without_corrections_a_job_can_have_another_verdict(
    rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Corrections are the second line: with them even a leader that took 409 for a failure ends up right."""
    monkeypatch.setattr("sundial_core.decision.job_creation.PendingCreate._decide_found", take_for_refusal)
    monkeypatch.setattr("sundial_core.status.corrections.except_started", lambda verdicts, *_: verdicts)
    for module in ("status.scheduled_jobs", "decision.job_deletions"):
        monkeypatch.setattr(f"sundial_core.{module}.is_contradicted", lambda *_: False)
    assert explore(rules).violation
