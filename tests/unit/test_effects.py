"""What becomes of a create that fails in a way that nobody has foreseen, or whose owner is gone."""

from __future__ import annotations

from typing import Any

import pytest
from situations import UID, at, build_item

from sundial_operator.agenda import Agenda, Key, Task
from sundial_operator.effects import Effects
from sundial_operator.metrics import Metrics
from sundial_operator.observed import Observed
from sundial_operator.tracks import Track
from sundial_operator.writer import Writer

KEY = Key(Task.CREATE, UID, at(10))


class Desk:
    """A schedule whose slot is being created, by a creator that fails."""

    def __init__(self, item: dict[str, Any] | None) -> None:
        self.creates = 0
        self.agenda: Agenda[Key] = Agenda(lambda _: None)
        self.writer, metrics = Writer(limit=1), Metrics()
        observed = Observed(lambda _: None, lambda _: None, metrics)
        if item is not None:
            observed.schedules.put(item)
        nobody: Any = None
        creator: Any = self
        self.effects = Effects(nobody, self.writer, creator, observed, self.agenda, metrics)
        self.track = Track(UID)
        self.track.creates[at(10)] = creator

    async def create(self, _: object) -> None:
        self.creates += 1
        raise KeyError("metadata")

    async def start(self) -> None:
        self.effects.start(self.track, at(10))
        await self.writer.drain(1)


async def test_a_create_that_fails_in_an_unforeseen_way_is_tried_again() -> None:
    desk = Desk(build_item())
    await desk.start()
    assert (desk.creates, KEY in desk.agenda) == (1, True)


@pytest.mark.parametrize("item", [None, "deleting"])
async def test_nothing_is_created_for_a_schedule_that_is_gone(item: str | None) -> None:
    deleting = build_item()
    deleting["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:09Z"
    desk = Desk(deleting if item else None)
    await desk.start()
    assert (desk.creates, KEY in desk.agenda) == (0, False)
