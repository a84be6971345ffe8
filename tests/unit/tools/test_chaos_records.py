"""The chaos suite reads every creation from an audit log, plans by its seed, and judges what it measured."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chaos.disturbances import DISTURBANCES
from chaos.faults import KILLS, OTHER_FAULTS, Kill
from chaos.plans import count_kills, make_plan
from chaos.records import Creation, Record
from chaos.reports import measure_takeovers

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _build_event(uid: str, code: int = 201, query: str = "", **labels: str) -> bytes:
    marks = {
        "sundial.dev/scheduled-job-uid": "owner",
        "sundial.dev/run": "run",
        "sundial.dev/trigger": "schedule",
    }
    annotations = {
        "sundial.dev/scheduled-for": "2026-01-01T00:00:00Z",
        "sundial.dev/attempt": "1",
        "sundial.dev/term": "5",
    }
    metadata = {"namespace": "team", "name": uid, "uid": uid, "labels": marks, "annotations": annotations}
    event: dict[str, Any] = {
        "kind": "Event",
        "requestURI": f"/apis/batch/v1/namespaces/team/jobs{query}",
        "responseStatus": {"code": code},
        "responseObject": {"kind": "Job", "metadata": metadata},
        "requestReceivedTimestamp": "2026-01-01T00:00:00.250000Z",
    }
    return json.dumps(event, separators=(",", ":")).encode()


def test_a_record_keeps_what_was_created_and_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    record = Record(log)
    record.poll()
    events = [_build_event("a"), _build_event("b", 409), _build_event("c", query="?dryRun=All")]
    log.write_bytes(b"\n".join(events) + b"\n" + _build_event("d")[:200])
    record.poll()
    with log.open("ab") as more:
        more.write(_build_event("e") + b"\n" + _build_event("f") + b"\n")
    record.poll()
    assert [creation.uid for creation in record.creations] == ["a", "e", "f"]
    assert record.has_start(NOW, above_term=4)
    assert not record.has_start(NOW, above_term=5)


def test_a_job_that_only_a_list_knows_is_taken_too(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    record = Record(log)
    listed = [json.loads(_build_event(uid))["responseObject"] for uid in ("a", "b")]
    for job in listed:
        job["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    record.take_list([*listed, {"metadata": {"uid": "somebody's"}}])
    log.write_bytes(_build_event("a") + b"\n")
    record.poll()
    assert (len(record.creations), record.unlogged) == (2, 1)


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_follows_from_its_seed_and_has_all_faults(seed: int) -> None:
    plan = make_plan(seed, 100, 27)
    assert plan == make_plan(seed, 100, 27)
    assert count_kills(plan) == 100
    faults = Counter(one.fault for one in plan)
    assert {faults[name] for name in OTHER_FAULTS} == {3}
    assert {one.disturbance for one in plan} == {None, *DISTURBANCES}
    disturbed = [one.disturbance is not None for one in plan if one.fault in KILLS]
    assert abs(2 * sum(disturbed) - len(disturbed)) <= len(KILLS)


def test_a_takeover_is_measured_to_the_first_job_of_a_later_term() -> None:
    def make(term: int, at: float) -> Creation:
        return Creation(
            "team", "x", f"{term}-{at}", "owner", "run", NOW, 1, term, NOW + timedelta(seconds=at)
        )

    kills = [Kill(NOW + timedelta(seconds=s), term, None) for s, term in ((1, 5), (10, 6), (12, 7))]
    creations = [make(5, 0), make(5, 1.5), make(6, 6.5), make(6, 7), make(8, 17)]
    measured = measure_takeovers(kills, creations)
    assert [(kill.term, seconds) for kill, seconds in measured] == [(5, 5.5), (7, 5.0)]
