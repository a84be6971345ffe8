"""The chaos suite's oracle finds what it is for: doubled Jobs, lost slots, wrong counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chaos.changes import count_slots
from chaos.oracle import (
    check_names,
    check_requests,
    check_starts,
    check_story,
    count_crowds,
    find_doubles,
    find_unanswered,
    find_verdictless,
    split_doubles,
)
from chaos.records import Creation
from chaos.stories import Story

CREATED = datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)


def _at(seconds: float) -> datetime:
    return CREATED + timedelta(seconds=seconds)


def _tell(**how: Any) -> Story:
    story = Story(
        ns="team",
        name="tick",
        uid="owner",
        schedule={"interval": {"seconds": 2}},
        created=CREATED,
        effective_from=CREATED,
        cursor=_at(6),
        counters={"started": 2, "missed": {"TooLate": 1}},
        retries=1,
        most_active=1,
    )
    return replace(story, **how)


def _create(slot: float, uid: str = "", attempt: int = 1, at: float = 0, run: str = "") -> Creation:
    run = run or f"run-{slot:g}"
    name = f"{run}-{attempt}"
    return Creation("team", name, uid or name, "owner", run, _at(slot), attempt, 7, _at(at or slot))


@pytest.mark.parametrize(
    ("schedule", "slots"),
    [
        ({"interval": {"seconds": 2}}, [2, 4, 6]),
        ({"cron": "*/3 * * * * *"}, [2, 5]),
        ({"interval": {"seconds": 7}}, []),
        ({"interval": {"seconds": 2}, "endsAt": "2026-01-01T12:00:05Z"}, [2, 4]),
    ],
    ids=["interval", "cron", "none", "end"],
)
def test_slots_by_brute_force(schedule: dict[str, Any], slots: list[int]) -> None:
    counted = count_slots(_tell(schedule=schedule), (), _at(6))
    assert sorted(counted.sure) == [_at(slot) for slot in slots]
    assert not counted.unsure


@pytest.mark.parametrize(
    ("story", "words"),
    [
        (_tell(), []),
        (_tell(cursor=None), []),
        (_tell(counters={"started": 2}, queued=(_at(6), _at(8))), []),
        (_tell(counters={"started": 2}), ["2 verdicts and 0 waiting for 3 slots"]),
        (_tell(counters={"started": 4}), ["4 verdicts and 0 waiting for 3 slots"]),
        (_tell(effective_from=_at(3)), ["nobody changed it", "3 verdicts and 0 waiting for 2 slots"]),
    ],
    ids=["right", "not begun", "one waits", "one lost", "one too many", "slots forgotten"],
)
def test_a_status_adds_up(story: Story, words: list[str]) -> None:
    findings = check_story(story)
    assert len(findings) == len(words)
    assert all(word in finding for word, finding in zip(words, findings, strict=True))


def test_slots_behind_the_cursor_are_open() -> None:
    assert find_verdictless(_tell(), _at(9)) == [_at(8)]
    assert find_verdictless(_tell(cursor=None), _at(3)) == [_at(2)]


@pytest.mark.parametrize(
    ("creations", "by_hand", "findings"),
    [
        ([_create(2), _create(4)], [], 0),
        ([_create(2), _create(4), _create(4, attempt=2), _create(8)], [], 0),
        ([_create(2)], [], 1),
        ([_create(2), _create(4), _create(6)], [], 1),
        ([_create(2), _create(4), _create(6)], ["run-6"], 0),
    ],
    ids=["right", "retry and a later slot", "start without a Job", "Job without a start", "deleted by hand"],
)
def test_as_many_slots_are_started_as_have_jobs(
    creations: list[Creation], by_hand: list[str], findings: int
) -> None:
    assert len(check_starts(_tell(), creations, frozenset(by_hand))) == findings


def test_an_attempt_with_two_jobs_is_found_even_when_the_first_is_gone() -> None:
    doubles = find_doubles([_create(2, "a"), _create(4), _create(2, "b", at=9), _create(2, attempt=2)])
    assert [[one.uid for one in made] for made in doubles.values()] == [["a", "b"]]


@pytest.mark.parametrize(
    ("deleted", "wrong", "excepted"),
    [({}, 1, 0), ({"run-2": _at(5)}, 0, 1), ({"run-2": _at(10)}, 1, 0), ({"run-4": _at(5)}, 1, 0)],
    ids=["nobody deleted", "deleted before", "deleted after", "another deleted"],
)
def test_only_a_job_deleted_by_hand_excuses_a_second_one(
    deleted: dict[str, datetime], wrong: int, excepted: int
) -> None:
    doubles = find_doubles([_create(2, "a"), _create(2, "b", at=9)])
    assert tuple(map(len, split_doubles(doubles, deleted))) == (wrong, excepted)


@pytest.mark.parametrize(
    ("creations", "findings"),
    [
        ([_create(2), _create(2, attempt=2)], 0),
        ([_create(3)], 1),
        ([_create(2, attempt=2)], 1),
        ([_create(2, attempt=number) for number in (1, 2, 3)], 1),
    ],
    ids=["right", "no slot", "first attempt missing", "more attempts than retries"],
)
def test_jobs_belong_to_slots_and_attempts_to_retries(creations: list[Creation], findings: int) -> None:
    assert len(check_names(_tell(), creations)) == findings


@pytest.mark.parametrize(("ended", "findings"), [(0, 1), (1, 0)], ids=["two active", "one has ended"])
def test_more_active_jobs_than_allowed_are_found(ended: int, findings: int) -> None:
    labels = {"sundial.dev/scheduled-job-uid": "owner"}
    done = {"conditions": [{"type": "Failed", "status": "True"}]}
    jobs = [{"metadata": {"labels": labels}, "status": done if n < ended else {}} for n in range(2)]
    assert len(count_crowds(jobs, [_tell()])) == findings
    assert not count_crowds(jobs, [_tell(most_active=None)])


@pytest.mark.parametrize(
    ("status", "open_ends", "wrong"),
    [
        ({"verdict": "Started", "conditions": [{"type": "Complete", "status": "True"}]}, 0, 0),
        ({"verdict": "Skipped", "conditions": [{"type": "Complete", "status": "True"}]}, 0, 1),
        ({"verdict": "Started", "conditions": [{"type": "Started", "status": "True"}]}, 1, 0),
        ({}, 1, 1),
    ],
    ids=["ran", "ran although it says not", "has not ended", "was forgotten"],
)
def test_a_request_ends_and_says_whether_it_ran(status: dict[str, Any], open_ends: int, wrong: int) -> None:
    item = {"metadata": {"namespace": "team", "name": "ask", "uid": "request"}, "status": status}
    assert len(find_unanswered([item])) == open_ends
    assert len(check_requests([item], [_create(2, run="request")], frozenset())) == wrong
    assert not check_requests([item], [_create(2, run="request")], frozenset({"request"}))
