"""The chaos suite's oracle knows what users have done, and finds slots that should not have been started."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chaos.changes import Change, Kind, Ledger, count_slots
from chaos.oracle import check_names, check_queue, check_story, find_uncounted, find_verdictless
from chaos.records import Creation
from chaos.stories import Story

CREATED = datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)
EVERY_TWO = {"interval": {"seconds": 2}}
EVERY_THREE = {"interval": {"seconds": 3}}


def _at(seconds: float) -> datetime:
    return CREATED + timedelta(seconds=seconds)


def _tell(start: float = 0, cursor: float = 0, verdicts: int = 0, **how: Any) -> Story:
    story = Story(
        ns="team",
        name="tick",
        uid="owner",
        schedule=EVERY_TWO,
        created=CREATED,
        effective_from=_at(start),
        cursor=_at(cursor),
        counters={"started": verdicts},
        retries=1,
        most_active=None,
    )
    return replace(story, **how)


def _change(
    kind: Kind, sent: float, answered: float | None = None, shown: float | None = None, **before: Any
) -> Change:
    instants = [None if seconds is None else _at(seconds) for seconds in (answered, shown)]
    return Change(kind, _tell(**before), _at(sent), *instants)


def _create(slot: float, at: float | None = None, attempt: int = 1) -> Creation:
    due = _at(slot)
    return Creation("team", f"{slot:g}", f"{slot:g}", "owner", f"{slot:g}", due, attempt, 7, _at(at or slot))


PAUSED = _change(Kind.HELD, 10.5, 10.6, shown=12.5, cursor=10)
RESUMED = _change(Kind.RESUMED, 20.5, 20.6, cursor=10)
BROKEN = _change(Kind.BROKEN, 10.5, 10.6, cursor=8)
MENDED = _change(Kind.MENDED, 20.5, 20.6, cursor=8)
EDITED = _change(Kind.EDITED, 10.5, 10.6, cursor=8)
REPLACED = _change(Kind.REPLACED, 10.5, 10.6, cursor=8)
PAUSE = (PAUSED, RESUMED)


@pytest.mark.parametrize(
    ("story", "changes", "sure", "unsure"),
    [
        (_tell(), (), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26], []),
        (_tell(), (_change(Kind.HELD, 10.5),), [2, 4, 6, 8, 10], [12, 14, 16, 18, 20, 22, 24, 26]),
        (_tell(), (PAUSED,), [2, 4, 6, 8, 10], [12]),
        (_tell(), PAUSE, [2, 4, 6, 8, 10], [12, 22, 24, 26]),
        (_tell(start=23), PAUSE, [2, 4, 6, 8, 10, 24, 26], [12]),
        (_tell(start=23), (BROKEN, MENDED), [2, 4, 6, 8, 24, 26], [10, 12]),
        (
            _tell(start=10, schedule=EVERY_THREE),
            (EDITED,),
            [2, 4, 6, 8, 15, 18, 21, 24],
            [10, 12],
        ),
        (_tell(schedule=EVERY_THREE), (EDITED,), [2, 4, 6, 8], [10, 12, 15, 18, 21, 24]),
        (_tell(), (REPLACED,), [2, 4, 6, 8, 14, 16, 18, 20, 22, 24, 26], [10, 12]),
        (_tell(start=18.3), (REPLACED,), [2, 4, 6, 8, 20, 22, 24, 26], [10, 12]),
    ],
    ids=[
        "nothing done",
        "pause under way",
        "paused",
        "resumed, not seen yet",
        "resumed",
        "mended",
        "edited",
        "edited, not seen yet",
        "function replaced, unseen",
        "function replaced",
    ],
)
def test_slots_count_but_for_what_users_did(
    story: Story, changes: tuple[Change, ...], sure: list[int], unsure: list[int]
) -> None:
    counted = count_slots(story, changes, _at(26))
    assert sorted(counted.sure) == [_at(slot) for slot in sure]
    assert sorted(counted.unsure) == [_at(slot) for slot in unsure]


@pytest.mark.parametrize(
    ("story", "changes", "words"),
    [
        (_tell(start=23, cursor=26, verdicts=7), PAUSE, []),
        (_tell(start=23, cursor=26, verdicts=8), PAUSE, []),
        (_tell(start=23, cursor=26, verdicts=6), PAUSE, ["6 verdicts and 0 waiting for 7 to 8 slots"]),
        (_tell(start=23, cursor=26, verdicts=9), PAUSE, ["9 verdicts and 0 waiting for 7 to 8 slots"]),
        (_tell(start=20, cursor=10, verdicts=5), PAUSE, []),
        (_tell(start=19, cursor=10, verdicts=5), PAUSE, ["resumed, but its slots count from"]),
        (_tell(start=11, cursor=10, verdicts=5), (PAUSED,), ["paused, but its slots count from"]),
        (_tell(start=9, cursor=8, verdicts=4), (EDITED,), ["edited, but its slots count from"]),
        (_tell(cursor=10, verdicts=5), PAUSE, []),
    ],
    ids=["right", "one more before it was seen", "one lost", "two more", "resumed within a second",
         "from before the resumption", "a pause moves it", "from before the edit", "not seen yet"],
)  # fmt: skip
def test_a_status_adds_up_after_changes(story: Story, changes: tuple[Change, ...], words: list[str]) -> None:
    findings = check_story(story, changes)
    assert len(findings) == len(words)
    assert all(word in finding for word, finding in zip(words, findings, strict=True))


def test_slots_of_a_pause_need_no_verdict_and_others_do() -> None:
    assert find_verdictless(_tell(start=23, cursor=24), _at(26), PAUSE) == [_at(26)]
    assert find_verdictless(_tell(start=23), _at(14), PAUSE) == [_at(slot) for slot in (2, 4, 6, 8, 10)]


@pytest.mark.parametrize(
    ("creation", "changes", "words"),
    [
        (_create(10), PAUSE, ""),
        (_create(12, at=12.1), PAUSE, ""),
        (_create(24), PAUSE, ""),
        (_create(12, at=13.7), PAUSE, "paused"),
        (_create(12, at=24), PAUSE, "paused"),
        (_create(10, at=15), PAUSE, "paused"),
        (_create(10, at=23), PAUSE, "paused"),
        (_create(14), PAUSE, "paused"),
        (_create(14, at=23), PAUSE, "paused"),
        (_create(22), PAUSE, "does not count"),
        (_create(16, at=25), (BROKEN, MENDED), "its spec was broken"),
        (_create(10, at=30, attempt=2), PAUSE, ""),
    ],
    ids=[
        "before the pause",
        "before the leader heard of it",
        "after it",
        "after the leader heard of it",
        "unseen in the pause and started after it",
        "started in it",
        "due before it and started after it",
        "in it",
        "in it and started after it",
        "after it and before slots count",
        "while the spec was wrong",
        "another attempt",
    ],
)
def test_starts_of_slots_that_do_not_count_are_found(
    creation: Creation, changes: tuple[Change, ...], words: str
) -> None:
    findings = find_uncounted(_tell(start=23), [creation], changes)
    assert len(findings) == bool(words)
    assert words in "".join(findings)


@pytest.mark.parametrize(
    ("slot", "findings"), [(8, 0), (12, 0), (15, 0), (14, 1)], ids=["old", "both", "new", "old and late"]
)
def test_slots_of_an_old_schedule_are_not_started(slot: int, findings: int) -> None:
    story = _tell(start=10, schedule=EVERY_THREE)
    assert not check_names(story, [_create(slot)], (EDITED,))
    assert len(find_uncounted(story, [_create(slot)], (EDITED,))) == findings


def test_a_job_of_no_schedule_that_there_was_is_found() -> None:
    assert check_names(_tell(start=10, schedule=EVERY_THREE), [_create(7)], (EDITED,))


@pytest.mark.parametrize(
    ("changes", "findings"), [((), 1), ((REPLACED,), 1), (PAUSE, 0)], ids=["nothing", "function", "pause"]
)
def test_only_pauses_and_edits_drop_what_waits(changes: tuple[Change, ...], findings: int) -> None:
    story = _tell(counters={"started": 3, "skipped": {"QueueDropped": 1}})
    assert len(check_queue(story, changes)) == findings
    assert not check_queue(_tell(), changes)


def test_a_change_is_noted_from_its_request_to_its_answer() -> None:
    ledger = Ledger()
    with ledger.note(Kind.HELD, _tell()) as change:
        assert ledger.read("owner") == (change,)
        assert change.answered is None
    assert change.answered is not None
    assert change.sent <= change.answered
    assert ledger.read("another") == ()
