"""What waits to be written, in which order, and when a list may be judged."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.aio.client import Configuration
from testkit.mirror_facts import build_schedule_item
from testkit.scheduled_jobs import UID, build_job_item

from sundial_api.mirror import feed as module
from sundial_api.mirror.feed import MAX_BATCH, Feed, WatchScope
from sundial_api.mirror.projection.batches import Burial, ObjectKind
from sundial_api.mirror.projection.rejects import Reject
from sundial_api.mirror.projection.run_facts import JobFact, RunFact
from sundial_api.mirror.projection.versions import Version
from sundial_kube.client import KubeClient


@pytest.fixture
def feed() -> Feed:
    """Give a feed whose reflectors do not run."""
    return Feed(KubeClient(Configuration()), WatchScope((), "system", "sundial"), 1)


def put(feed: Feed, kind: ObjectKind, item: dict[str, Any]) -> None:
    feed.sinks[kind].put(item)


def put_jobs(feed: Feed, *slots: float, version: int = 20) -> None:
    for slot in slots:
        put(feed, ObjectKind.JOB, build_job_item(slot, version=version))


def test_of_an_object_only_the_newest_state_waits_in_its_first_place(feed: Feed) -> None:
    put_jobs(feed, 10, 20)
    put_jobs(feed, 10, version=21)
    changes = feed.cut().changes
    values = [change.value for change in changes]
    assert all(isinstance(value, RunFact) for value in values)
    assert [value.part.version.number for value in values if isinstance(value, RunFact)] == [21, 20]


def test_a_batch_is_cut_from_the_oldest(feed: Feed) -> None:
    put_jobs(feed, *range(MAX_BATCH + 1))
    assert (len(feed.cut().changes), len(feed)) == (MAX_BATCH, 1)
    assert len(feed.cut().changes) == 1


def test_a_batch_has_a_limit_of_what_its_objects_tell(feed: Feed) -> None:
    entries = [{"slot": "2026-01-01T00:00:00Z", "verdict": "Skipped"}] * 1000
    for number in range(50):
        item = build_schedule_item(uid=f"uid-{number}", status={"recentSlots": entries})
        put(feed, ObjectKind.SCHEDULED_JOB, item)
    sizes = []
    while len(feed):
        sizes.append(len(feed.cut().changes))
    assert sizes == [19, 19, 12]


def test_one_object_goes_whatever_it_tells(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WEIGHT", 0)
    put_jobs(feed, 10, 20)
    assert [len(feed.cut().changes), len(feed.cut().changes)] == [1, 1]


def test_a_list_is_judged_after_what_came_before_it(feed: Feed) -> None:
    put_jobs(feed, *range(MAX_BATCH + 1))
    feed.sinks[ObjectKind.JOB].retain({"a"}, 30, None)
    put_jobs(feed, 5000)
    feed.cut()
    assert feed.take_lists() == []
    put_jobs(feed, 6000)
    feed.cut()
    taken = feed.take_lists()
    assert [(one.kind, one.version.number, one.listed) for one in taken] == [(ObjectKind.JOB, 30, {"a"})]
    assert feed.take_lists() == []


def test_a_list_of_nothing_is_judged_at_once(feed: Feed) -> None:
    feed.sinks[ObjectKind.POD].retain(set(), 30, None)
    assert [one.kind for one in feed.take_lists()] == [ObjectKind.POD]


def test_a_deleted_job_is_said_to_be_gone(feed: Feed) -> None:
    put_jobs(feed, 10)
    feed.sinks[ObjectKind.JOB].remove(build_job_item(10, version=25))
    (change,) = feed.cut().changes
    assert isinstance(change.value, RunFact)
    assert isinstance(change.value.part, JobFact)
    assert (change.value.part.is_gone, change.value.part.version.number) == (True, 25)


def test_an_object_that_cannot_be_read_waits_as_a_reject(feed: Feed) -> None:
    item = build_schedule_item()
    item["spec"] = None
    put(feed, ObjectKind.SCHEDULED_JOB, item)
    assert isinstance(feed.cut().changes[0].value, Reject)


def test_an_object_whose_last_state_cannot_be_read_is_gone_all_the_same(feed: Feed) -> None:
    item = build_schedule_item(version=12)
    item["spec"] = None
    feed.sinks[ObjectKind.SCHEDULED_JOB].remove(item)
    value = feed.cut().changes[0].value
    assert value == Burial(ObjectKind.SCHEDULED_JOB, UID, Version(1, 12))


@pytest.mark.parametrize(
    ("name", "labels", "taken"),
    [
        pytest.param("sundial", {}, 1, id="the leader's"),
        pytest.param("other", {}, 0, id="of another program"),
        pytest.param("sundial-member-1", {"sundial.dev/member": "true"}, 1, id="a replica's"),
        pytest.param("sundial-mirror", {}, 0, id="the mirror's own"),
    ],
)
def test_which_leases_are_taken(feed: Feed, name: str, labels: dict[str, str], taken: int) -> None:
    put(
        feed,
        ObjectKind.LEASE,
        {"metadata": {"uid": "1", "resourceVersion": "1", "name": name, "labels": labels}},
    )
    assert len(feed) == taken


def hear(feed: Feed, **heard: float) -> None:
    for (kind, _), reflector in feed.reflectors.items():
        reflector.heard_at = heard.get(kind.name, 100.0)


def test_all_is_written_up_to_when_the_quietest_kind_was_heard_of(feed: Feed) -> None:
    hear(feed, POD=90.0, JOB=95.0)
    assert feed.find_written_until() == 90.0


def test_all_is_written_up_to_the_oldest_change_that_waits(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear(feed)
    for now, slot in ((50.0, 10), (60.0, 20), (70.0, 10)):
        monkeypatch.setattr(module.time, "monotonic", lambda now=now: now)
        put_jobs(feed, slot)
    assert feed.find_written_until() == 50.0
    feed.cut()
    assert feed.find_written_until() == 100.0


def test_how_far_all_is_written_is_open_while_a_list_waits(feed: Feed) -> None:
    hear(feed)
    feed.sinks[ObjectKind.JOB].retain(set(), 30, None)
    assert feed.find_written_until() is None
    feed.take_lists()
    assert feed.find_written_until() == 100.0
