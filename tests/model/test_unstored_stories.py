"""Stories of a status that cannot be stored: it stops the starts of its schedule, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.scheduled_jobs import at, build_spec, read_seconds, read_verdicts
from testkit.simulation.cluster import Cluster
from testkit.simulation.process import Process
from testkit.simulation.stories import Story

from sundial_clock.instants import format_instant
from sundial_core.decision.unstored_limit import MAX_STARTS
from sundial_core.resources.phases import Verdict
from sundial_core.resources.reasons import Reason
from sundial_core.status.verdicts import VerdictRecord

TICK = {"schedule": {"interval": {"seconds": 1}}, "concurrency": {"policy": "Allow"}}
SKIPPED = VerdictRecord(at(20), at(20), 1, Verdict.SKIPPED, Reason.REJECTED)
SLOW = {"schedule": {"interval": {"seconds": 10}}, "concurrency": {"policy": "Forbid"}}


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    """Give a schedule of a slot a second under Allow, whose status is stored as it is at 10 s."""
    return tell_story(monkeypatch, **TICK)


def tell_story(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> Story:
    cluster = Cluster(build_spec(**fields))
    story = Story(cluster, Process(cluster))
    story.process.pass_time(10)
    return story


def refuse(story: Story, seconds: float, mode: str = "refuse") -> None:
    story.meet_statuses(mode)
    story.process.pass_time(seconds)


def accept(story: Story, seconds: float = 0) -> dict[str, Any]:
    """Let statuses be stored again; gives the newest."""
    story.meet_statuses("store")
    story.process.look()
    story.process.pass_time(seconds)
    status: dict[str, Any] = story.cluster.item["status"]
    return status


def read_missed(status: dict[str, Any]) -> list[str]:
    return [line for line in read_verdicts(status) if "StatusNotStored" in line]


def count(status: dict[str, Any]) -> tuple[int, int]:
    """Give how many slots were started, and how many missed because the status could not be stored."""
    verdicts = status["counters"]["verdicts"]
    return verdicts["started"], verdicts.get("missed", {}).get("StatusNotStored", 0)


def test_after_a_hundred_unstored_starts_nothing_more_starts(story: Story) -> None:
    refuse(story, 140)
    assert len(story.cluster.made) == 10 + MAX_STARTS
    assert story.process.memory.is_stopped


def test_the_first_status_that_is_stored_has_one_missed_range(story: Story) -> None:
    refuse(story, 140)
    status = accept(story)
    assert read_missed(status) == ["111..150 x40 Missed StatusNotStored"]
    assert count(status) == (110, 40)
    assert "Request entity too large" in status["recentSlots"][0]["message"]


def test_starts_go_on_once_a_status_is_stored(story: Story) -> None:
    refuse(story, 140)
    status = accept(story, 5)
    assert count(status) == (115, 40)
    assert not story.process.memory.is_stopped


def test_runs_that_were_started_before_go_on_and_end(story: Story) -> None:
    refuse(story, 140)
    status = accept(story)
    assert (status["lastResult"], status["activeCount"]) == ("Succeeded", 0)


def test_after_five_minutes_with_a_verdict_unstored_nothing_more_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = tell_story(monkeypatch, **SLOW)
    story.plan_jobs(15, "Complete")
    refuse(story, 400)
    status = accept(story)
    assert read_missed(status) == ["320..410 x10 Missed StatusNotStored"]


@pytest.mark.parametrize("mode", ["refuse", "lose"])
def test_trouble_that_passes_sooner_changes_nothing(story: Story, mode: str) -> None:
    refuse(story, 90, mode)
    assert count(accept(story)) == (100, 0)


@pytest.mark.parametrize("edit", ["touch", "edit", "break", "suspend", "pause"])
def test_what_was_missed_stays_missed_when_the_spec_changes(story: Story, edit: str) -> None:
    refuse(story, 150)
    spec = story.cluster.item["spec"]
    changes: dict[str, dict[str, Any]] = {
        "touch": {"args": {"n": 1}},
        "edit": {"schedule": {"interval": {"seconds": 7}}},
        "break": {"args": {"n": "x" * 100_000}},
        "suspend": {"suspend": True},
        "pause": {},
    }
    story.cluster.write_user_change(spec | changes[edit], "true" if edit == "pause" else None)
    story.process.look()
    story.process.look()
    assert count(accept(story)) == (110, 50)


def test_a_patch_that_was_stored_without_an_answer_is_not_counted_again(story: Story) -> None:
    refuse(story, 150)
    story.process.is_deaf = True
    refuse(story, 20, "store silently")
    story.process.is_deaf = False
    started, missed = count(accept(story))
    assert (started, started + missed) == (len(story.cluster.made_slots), 180)


def test_nor_is_one_that_is_known_only_when_the_schedule_has_changed(story: Story) -> None:
    refuse(story, 150)
    story.process.is_deaf = True
    story.meet_statuses("store silently")
    story.process.look()
    refuse(story, 20)
    story.cluster.write_user_change(story.cluster.item["spec"] | {"schedule": {"interval": {"days": 1}}})
    story.process.is_deaf = False
    assert count(accept(story)) == (110, 70)


def test_a_new_leader_begins_anew_and_starts_a_hundred_more(story: Story) -> None:
    refuse(story, 140)
    story.process.restart()
    story.process.pass_time(140)
    made = sorted(read_seconds(format_instant(slot)) for slot in story.cluster.made_slots)
    taken_over = [slot for slot in made if slot > 110]
    assert (taken_over[0], len(taken_over)) == (121, MAX_STARTS)
    status = accept(story)
    assert read_missed(status) == ["221..290 x70 Missed StatusNotStored"]
    verdicts = {"started": 210, "missed": {"StatusNotStored": 70, "TooLate": 10}}
    assert status["counters"]["verdicts"] == verdicts
