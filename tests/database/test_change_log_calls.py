"""A call to the API has an entry of its own, with exactly what it has changed, whoever saw that first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.mirror_rows import read
from testkit.seen_changes import EVE, MALLORY, OTHER, Story, mark, put

from sundial_api.mirror.storage import change_log
from sundial_api.mirror.storage.change_log import ApiCaller

BY_EVE, BY_MALLORY = ("sundial-api", "eve"), ("sundial-api", "mallory")
MANY = change_log.MAX_IN_WINDOW + 5


@pytest.fixture
async def story(async_connection: AsyncConnection) -> Story:
    """Give an object that is mirrored."""
    story = Story(async_connection)
    await story.mirror()
    return story


async def flood(story: Story, number: int = MANY) -> None:
    """Have kubectl change the description so often that its entries are joined."""
    for count in range(number):
        story.write("kubectl-patch", put(description=f"n{count}"))
        await story.mirror()


async def test_a_call_is_told_where_it_is_first(story: Story) -> None:
    await story.note(story.call(EVE, put(timeoutSeconds=7)))
    await story.mirror()
    assert await story.tell() == [(*BY_EVE, {"spec.timeoutSeconds": 7})]
    row = await read(
        story.connection, "scheduled_job_changes", "client_address, changed_at", "kind = 'changed'"
    )
    assert row == [("192.0.2.7", story.now)]


async def test_a_call_is_told_where_the_mirror_is_first(story: Story) -> None:
    call = story.call(EVE, put(timeoutSeconds=7))
    await story.mirror()
    story.write("sundial-operator", lambda item: item.update(status={"activeCount": 1}))
    await story.mirror()
    await story.note(call)
    assert await story.tell() == [(*BY_EVE, {"spec.timeoutSeconds": 7})]


async def test_what_others_changed_after_a_call_is_not_the_calls(story: Story) -> None:
    call = story.call(EVE, put(timeoutSeconds=7, retry={"count": 2}))
    story.write("kubectl-patch", put(timeoutSeconds=9, suspend=True))
    await story.mirror()
    await story.note(call)
    assert await story.tell() == [
        (*BY_EVE, {"spec.retry.count": 2, "spec.timeoutSeconds": 7}),
        ("kubectl-patch", None, {"spec.suspend": True, "spec.timeoutSeconds": 9}),
    ]


async def test_what_others_changed_back_after_a_call_is_told(story: Story) -> None:
    call = story.call(EVE, put(timeoutSeconds=7))
    story.write("kubectl-patch", put(timeoutSeconds=None))
    await story.mirror()
    await story.note(call)
    assert await story.tell() == [
        (*BY_EVE, {"spec.timeoutSeconds": 7}),
        ("kubectl-patch", None, {"spec.timeoutSeconds": None}),
    ]


@pytest.mark.parametrize(
    ("args", "rest"),
    [
        pytest.param({"pay": "mine"}, {"spec.suspend": True}, id="the-calls"),
        pytest.param({"pay": "evil"}, {"spec.args": "(not shown)", "spec.suspend": True}, id="others"),
    ],
)
async def test_arguments_are_told_of_who_changed_them(
    story: Story, args: dict[str, str], rest: dict[str, Any]
) -> None:
    call = story.call(EVE, put(args={"pay": "mine"}))
    story.write("kubectl-patch", put(args=args, suspend=True))
    await story.mirror()
    await story.note(call)
    assert await story.tell() == [
        (*BY_EVE, {"spec.args": "(not shown)"}),
        ("kubectl-patch", None, rest),
    ]


async def test_what_was_changed_before_a_call_and_not_seen_is_not_the_calls(story: Story) -> None:
    story.write("kubectl-annotate", mark("paused", "true"))
    await story.mirror()
    story.write("kubectl-annotate", mark("paused", None))
    await story.note(story.call(EVE, put(timeoutSeconds=7)))
    assert await story.tell() == [
        ("kubectl-annotate", None, {"paused": "true"}),
        (None, None, {"paused": None}),
        (*BY_EVE, {"spec.timeoutSeconds": 7}),
    ]


async def test_what_was_not_seen_at_all_is_not_the_calls(story: Story) -> None:
    story.write("kubectl-patch", put(suspend=True))
    call = story.call(EVE, put(timeoutSeconds=7))
    await story.mirror()
    await story.note(call)
    assert await story.tell() == [
        (None, None, {"spec.suspend": True}),
        (*BY_EVE, {"spec.timeoutSeconds": 7}),
    ]


async def test_arguments_that_were_there_are_not_told_twice(story: Story) -> None:
    story.write("helm", put(args={"pay": "old"}, description="x" * 900))
    await story.mirror()
    story.write("sundial-operator", lambda item: item.update(status={"activeCount": 1}))
    await story.note(story.call(EVE, put(args={"pay": "new"}, description="x" * 899 + "y")))
    described = {"spec.args": "(not shown)", "spec.description": "x" * 299 + "…"}
    assert await story.tell() == [("helm", None, described), (*BY_EVE, described)]


async def test_what_others_changed_back_in_a_flood_after_a_call_is_told(story: Story) -> None:
    await flood(story)
    call = story.call(EVE, put(timeoutSeconds=7))
    for args in (None, {"pay": "evil"}, None):
        story.write("kubectl-patch", put(suspend=True, args=args))
        await story.mirror()
    await story.note(call)
    assert (await story.tell())[-2:] == [
        (*BY_EVE, {"spec.timeoutSeconds": 7}),
        ("kubectl-patch", None, {"spec.args": None, "spec.suspend": True}),
    ]


async def test_two_calls_that_are_seen_as_one_are_two(story: Story) -> None:
    first = story.call(EVE, put(timeoutSeconds=7))
    second = story.call(replace(EVE, address="198.51.100.1"), put(suspend=True))
    await story.mirror()
    for call in (second, first):
        await story.note(call)
    rows = await read(story.connection, "scheduled_job_changes", "client_address", "user_name = 'eve'")
    assert rows == ["192.0.2.7", "198.51.100.1"]
    assert [fields for _, _, fields in await story.tell()] == [
        {"spec.timeoutSeconds": 7},
        {"spec.suspend": True},
    ]


async def test_a_call_whose_object_was_changed_twice_before_it_was_told(story: Story) -> None:
    call = story.call(EVE, put(timeoutSeconds=7))
    story.write("helm", put(suspend=True))
    await story.mirror()
    story.write("kubectl-patch", put(suspend=None, timeoutSeconds=9))
    await story.mirror()
    await story.note(call)
    assert await story.tell() == [
        (*BY_EVE, {"spec.timeoutSeconds": 7}),
        ("helm", None, {"spec.suspend": True}),
        ("kubectl-patch", None, {"spec.suspend": None, "spec.timeoutSeconds": 9}),
    ]


async def test_who_made_a_job_has_not_changed_it(async_connection: AsyncConnection) -> None:
    story = Story(async_connection)
    made, write = story.call(EVE, lambda _: None)
    story.write("kubectl-patch", put(suspend=True))
    story.item["metadata"]["annotations"]["sundial.dev/created-by"] = OTHER
    await story.mirror()
    await story.note((made, replace(write, before=None)))
    rows = await read(story.connection, "scheduled_job_changes", "kind, manager, user_name, user_id IS NULL")
    assert rows == [("changed", "kubectl-patch", None, True), ("created", "sundial-api", "eve", False)]
    assert await story.tell() == [("kubectl-patch", None, {"spec.suspend": True})]


async def test_a_call_is_never_told_with_what_others_did(story: Story) -> None:
    await flood(story)
    story.write("kubectl-patch", put(timeoutSeconds=3000))
    await story.mirror()
    await story.note(story.call(EVE, put(description="innocent")))
    story.write("kubectl-patch", put(args={"pay": "evil"}))
    await story.mirror()
    joined, called, last = (await story.tell())[-3:]
    assert joined == ("kubectl-patch", None, {"spec.description": "n24", "spec.timeoutSeconds": 3000})
    assert called == (*BY_EVE, {"spec.description": "innocent"})
    assert last == ("kubectl-patch", None, {"spec.args": "(not shown)"})


async def test_a_call_is_not_told_with_what_others_did_after_it(story: Story) -> None:
    await flood(story)
    call = story.call(EVE, put(suspend=True))
    story.write("kubectl-patch", put(timeoutSeconds=9))
    await story.mirror()
    await story.note(call)
    assert (await story.tell())[-2:] == [
        (*BY_EVE, {"spec.suspend": True}),
        ("kubectl-patch", None, {"spec.timeoutSeconds": 9}),
    ]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(MALLORY, id="another-user"),
        pytest.param(replace(EVE, address="198.51.100.1"), id="another-address"),
        pytest.param(replace(EVE, name="adam"), id="another-name"),
    ],
)
@pytest.mark.parametrize("first", ["mirror", "call"])
async def test_calls_of_one_caller_are_joined_and_of_two_never(
    story: Story, other: ApiCaller, first: str
) -> None:
    for number in range(MANY):
        call = story.call(EVE, put(timeoutSeconds=number + 1))
        if first == "mirror":
            await story.mirror()
        await story.note(call)
    await story.note(story.call(other, put(suspend=True)))
    rows = await read(story.connection, "scheduled_job_changes", "version, change_count, user_name")
    assert [row[1:] for row in rows[-2:]] == [(MANY + 2 - change_log.MAX_IN_WINDOW, "eve"), (1, other.name)]
    assert len(rows) == change_log.MAX_IN_WINDOW + 1


async def test_a_call_that_is_never_noted_is_not_told_with_others(story: Story) -> None:
    await flood(story)
    for number in range(3):
        story.call(EVE, put(timeoutSeconds=number + 1))
        await story.mirror()
    assert [fields for _, _, fields in (await story.tell())[-3:]] == [
        {"spec.timeoutSeconds": number} for number in (1, 2, 3)
    ]


async def test_a_call_is_told_of_a_job_that_nothing_was_known_of(story: Story) -> None:
    await story.connection.execute(text("DELETE FROM scheduler_job_states"))
    await story.note(story.call(EVE, put(timeoutSeconds=7)))
    assert await story.tell() == [(*BY_EVE, {"spec.timeoutSeconds": 7})]


async def test_entries_of_calls_have_a_cap(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_log, "MAX_KEPT", 3)
    for number in range(5):
        call = story.call((EVE, MALLORY)[number % 2], put(timeoutSeconds=number + 1))
        story.write("kubectl-patch", put(description=f"n{number}"))
        await story.mirror()
        await story.note(call)
    assert len(await read(story.connection, "scheduled_job_changes", "id")) == 3
