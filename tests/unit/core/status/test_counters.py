"""Totals and last times: each start, judgement and result counts once, and times never go back."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import at, build_observed, read_seconds

from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.runs.state import build_lost_run, build_run
from sundial_core.status.counters import MAX_COUNT, MAX_REASONS, Tallies
from sundial_core.status.verdicts import VerdictRecord


def count(*runs: tuple[float, str], status: dict[str, Any] | None = None) -> dict[str, Any]:
    tallies = Tallies(status or {})
    for slot, condition in runs:
        how = {"reason": "DeadlineExceeded"} if condition == "Timeout" else {}
        observed = build_observed(slot, condition.replace("Timeout", "Failed").replace("Gone", ""), **how)
        run = build_run(observed, (), at(slot))
        run = build_lost_run(run, at(slot + 5)) if condition == "Gone" else run
        tallies.count_starts([run])
        if run.phase.is_result:
            tallies.count_result(run)
    return tallies.build()


def test_a_count_that_somebody_wrote_stays_storable() -> None:
    forged = 2**63 - 1
    verdicts = {"started": forged, "skipped": {"AlreadyActive": forged}}
    status = {"consecutiveFailures": forged, "counters": {"verdicts": verdicts}}
    tallies = Tallies(status)
    run = build_run(build_observed(10, "Failed"), (), at(10))
    tallies.count_starts([run])
    tallies.count_result(run)
    tallies.count_verdict(VerdictRecord(at(20), at(20), 1, Verdict.SKIPPED, Reason.ALREADY_ACTIVE))
    built = tallies.build()
    assert built["consecutiveFailures"] == MAX_COUNT
    assert built["counters"]["verdicts"] == {"started": MAX_COUNT, "skipped": {"AlreadyActive": MAX_COUNT}}


def test_counts_that_no_release_writes_are_left_out() -> None:
    forged = {f"Reason{n}": 1 for n in range(20_000)} | {"x" * 65: 1, "Negative": -1, "TooLate": 2**62}
    missed = Tallies({"counters": {"verdicts": {"missed": forged}}}).build()["counters"]["verdicts"]["missed"]
    assert missed["TooLate"] == MAX_COUNT
    assert len(missed) == MAX_REASONS
    assert max(map(len, missed)) < 65
    assert min(missed.values()) > 0


@pytest.mark.parametrize(
    ("runs", "failures", "last"),
    [
        pytest.param([], 0, None, id="none"),
        pytest.param([(10, "Complete")], 0, "Succeeded", id="success"),
        pytest.param([(10, "Failed"), (20, "Failed")], 2, "Failed", id="failures"),
        pytest.param([(10, "Failed"), (20, "Timeout")], 2, "TimedOut", id="a timeout is a failure"),
        pytest.param([(10, "Failed"), (20, "Complete")], 0, "Succeeded", id="success ends them"),
        pytest.param([(10, "Failed"), (20, "Gone")], 1, "Cancelled", id="cancelled is neither"),
        pytest.param([(10, "Failed"), (20, "")], 1, "Failed", id="an active run says nothing"),
    ],
)
def test_consecutive_failures(runs: list[tuple[float, str]], failures: int, last: str | None) -> None:
    status = count(*runs)
    assert (status["consecutiveFailures"], status["lastResult"]) == (failures, last)


def test_times() -> None:
    status = count((10, "Complete"), (20, "Failed"), (30, ""))
    times = ("lastScheduleTime", "lastRunTime", "lastSuccessTime", "lastFailureTime")
    assert [read_seconds(status[name]) for name in times] == [30, 30, 15, 25]


def test_times_do_not_go_back() -> None:
    newer = count((100, "Complete"), (200, "Failed"))
    older = count((10, "Complete"), (20, "Failed"), status=newer)
    assert [older[name] for name in ("lastScheduleTime", "lastSuccessTime", "lastFailureTime")] == [
        newer[name] for name in ("lastScheduleTime", "lastSuccessTime", "lastFailureTime")
    ]


def test_a_manual_run_is_no_slot() -> None:
    tallies = Tallies({})
    tallies.count_starts([build_run(build_observed(None, trigger="manual", created=7), (), at(9))])
    status = tallies.build()
    assert (status["lastScheduleTime"], read_seconds(status["lastRunTime"])) == (None, 7)
    assert status["counters"] is None


def test_verdicts_are_counted_by_reason_from_what_was_stored() -> None:
    tallies = Tallies(count((10, "")))
    tallies.count_verdict(VerdictRecord(at(20), at(40), 3, Verdict.MISSED, Reason.TOO_LATE))
    tallies.count_verdict(VerdictRecord(at(50), at(50), 1, Verdict.SKIPPED, Reason.ALREADY_ACTIVE))
    again = Tallies(tallies.build())
    again.count_verdict(VerdictRecord(at(60), at(60), 1, Verdict.MISSED, Reason.TOO_LATE))
    assert again.build()["counters"] == {
        "verdicts": {"started": 1, "skipped": {"AlreadyActive": 1}, "missed": {"TooLate": 4}}
    }


def test_what_was_stored_is_not_changed() -> None:
    stored = {"counters": {"verdicts": {"missed": {"TooLate": 1}}}}
    Tallies(stored).count_verdict(VerdictRecord(at(1), at(1), 1, Verdict.MISSED, Reason.TOO_LATE))
    assert stored == {"counters": {"verdicts": {"missed": {"TooLate": 1}}}}
