"""Looks at everything while faults are done: what must always hold is checked each time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chaos.arena import Arena
from chaos.background import Background
from chaos.changes import Ledger
from chaos.oracle import check_queue, check_story, count_crowds
from chaos.stories import Story, read_story
from chaos.workload import NEVER

SCHEDULED_JOBS = "/apis/sundial.dev/v1alpha1/scheduledjobs"
REQUESTS = "/apis/sundial.dev/v1alpha1/scheduledjobruns"
JOBS = "/apis/batch/v1/jobs"
RECORD_SECONDS = 0.1
LOOK_SECONDS = 1.5
SHARE_OF_LOOKS = 0.2
"""How much of the time is spent on lists at most: looking must not be what makes the API server slow."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How much lay about at one look."""

    jobs: int
    schedules: int
    requests: int


class Watcher(Background):
    """Reads the record all the time, and now and then every schedule and Job; a context manager."""

    def __init__(self, arena: Arena, ledger: Ledger) -> None:
        super().__init__("watcher", 30)
        self._arena = arena
        self._ledger = ledger
        self._stories: dict[str, Story] = {}
        self.requests: list[dict[str, Any]] = []
        self.findings: dict[str, None] = {}
        self.lists = 0
        self.crowds: list[Crowd] = []

    @property
    def stories(self) -> list[Story]:
        """The newest story of each schedule that was ever seen."""
        return list(self._stories.values())

    def look(self) -> list[Story]:
        """List every schedule and Job once, check them, and return the schedules that are there."""
        arena = self._arena
        jobs, schedules, requests = arena.read(JOBS), arena.read(SCHEDULED_JOBS), arena.read(REQUESTS)
        if jobs is None or schedules is None or requests is None:
            return []
        self.lists += 1
        self.requests = requests["items"]
        arena.record.poll()
        arena.record.take_list(jobs["items"])
        stories = [read_story(item) for item in schedules["items"] if _is_plain(item)]
        self._stories |= {story.uid: story for story in stories}
        self.crowds.append(Crowd(len(jobs["items"]), len(schedules["items"]), len(requests["items"])))
        for finding in [*self._check(stories), *count_crowds(jobs["items"], stories)]:
            self.findings[finding] = None
        return stories

    def _check(self, stories: list[Story]) -> Iterator[str]:
        for story in stories:
            changes = self._ledger.read(story.uid)
            yield from check_story(story, changes)
            yield from check_queue(story, changes)

    def _run(self) -> None:
        next_at = time.monotonic() + LOOK_SECONDS
        while not self._stopping.wait(RECORD_SECONDS):
            self._arena.record.poll()
            if (began := time.monotonic()) >= next_at:
                self.look()
                ended = time.monotonic()
                next_at = max(began + LOOK_SECONDS, ended + (ended - began) / SHARE_OF_LOOKS)


def _is_plain(item: dict[str, Any]) -> bool:
    """Tell whether a schedule has slots that count: poison has none."""
    return NEVER not in (item["metadata"].get("labels") or {})
