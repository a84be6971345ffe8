"""One run of the chaos suite: the plan is carried out, the dust settles, all is counted."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from chaos.arena import Arena, Report, open_arena
from chaos.crew import read_utc_clock
from chaos.disturbances import DISTURBANCES
from chaos.faults import LEADER_FAULTS, Scene
from chaos.lateness import find_gaps, measure_lateness
from chaos.machine import Busyness, Machine
from chaos.oracle import (
    check_names,
    check_requests,
    check_starts,
    find_doubles,
    find_unanswered,
    find_uncounted,
    find_verdictless,
    split_doubles,
)
from chaos.plans import Round
from chaos.reports import NOTHING, Figures, Setting, measure_takeovers, read_date
from chaos.stories import Story
from chaos.watcher import Watcher
from chaos.workload import HEALTHY

from sundial_devcluster.polling import until

SETTLE_SECONDS = 300.0
STAY_SECONDS = 12.0


@dataclass(frozen=True, slots=True)
class Form:
    """How a run is made: how long a Lease lasts, how many operators there are, and the faults.

    `stay_seconds` is for how long writes go on to be slow or refused after a takeover.
    """

    lease_seconds: int
    operators: int
    seed: int
    plan: tuple[Round, ...]
    stay_seconds: float = STAY_SECONDS

    @property
    def timing(self) -> dict[str, str]:
        """The operators' settings."""
        return {
            "SUNDIAL_LEASE_SECONDS": str(self.lease_seconds),
            "SUNDIAL_RENEW_DEADLINE_SECONDS": str(self.lease_seconds * 3 / 4),
            "SUNDIAL_RENEW_PERIOD_SECONDS": str(self.lease_seconds / 8),
        }


@dataclass(slots=True)
class Progress:
    """How far a run is; `on_round` is called before each round with its number."""

    report: Report
    on_round: Callable[[int, Round], None]


def run_chaos(form: Form, folder: Path, progress: Progress) -> tuple[Figures, Setting]:
    """Run a plan on a cluster of its own; Ctrl-C ends the faults early, and what happened is judged."""
    with open_arena(folder, form.operators, form.timing, form.seed, progress.report) as arena:
        setting = _describe(form, arena)
        scene = Scene(arena, random.Random(form.seed), form.lease_seconds, form.stay_seconds)
        began = time.monotonic()
        with Machine() as machine, Watcher(arena, scene.ledger) as watcher:
            scene.await_start(read_utc_clock())
            played = _carry_out(form.plan, scene, progress)
            progress.report("waiting until every slot has its verdict")
            played.verdictless = settle(scene, watcher)
        played.seconds = time.monotonic() - began
        arena.crew.stop()
        return _count(scene, watcher, played, machine.busyness), setting


@dataclass(slots=True)
class Played:
    """What was done: faults by name, the rounds after which nothing started, the slots that stayed open."""

    rounds: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    verdictless: list[str] = field(default_factory=list)


def _carry_out(plan: tuple[Round, ...], scene: Scene, progress: Progress) -> Played:
    played = Played()
    with contextlib.suppress(KeyboardInterrupt):
        with scene.note_window(NOTHING):
            time.sleep(scene.stay_seconds)
        for number, round_ in enumerate(plan, 1):
            progress.on_round(number, round_)
            try:
                _play(round_, scene)
            except TimeoutError as error:
                played.failed.append(f"round {number}, {round_}: {error}")
            played.faults.update(filter(None, (round_.fault, round_.disturbance)))
            played.rounds = number
    scene.arena.proxies.clear()
    return played


def _play(round_: Round, scene: Scene) -> None:
    scene.disturbance = round_.disturbance
    disturb = DISTURBANCES[round_.disturbance] if round_.disturbance else _leave_alone
    with disturb(scene):
        LEADER_FAULTS[round_.fault](scene)


@contextlib.contextmanager
def _leave_alone(_: Scene) -> Iterator[None]:
    yield


def settle(scene: Scene, watcher: Watcher) -> list[str]:
    """Wait until each schedule that is there has decided all slots up to now; tell which have not."""
    ended = read_utc_clock()
    open_slots: list[str] = ["not looked yet"]

    def look() -> bool:
        stories = watcher.look()
        if stories:
            open_slots[:] = [
                f"{story.label}, slot {slot:%H:%M:%S}"
                for story in stories
                for slot in find_verdictless(story, ended, scene.ledger.read(story.uid))
            ] + find_unanswered(watcher.requests)
        return not open_slots

    with contextlib.suppress(TimeoutError):
        until(look, SETTLE_SECONDS, every=0.5)
    return open_slots


def _count(scene: Scene, watcher: Watcher, played: Played, busyness: Busyness) -> Figures:
    crew, creations = scene.arena.crew, scene.arena.record.creations
    by_hand = frozenset(scene.deleted_by_hand)
    wrong, excepted = split_doubles(find_doubles(creations), scene.deleted_by_hand)
    uncounted, findings = _judge(scene, watcher, by_hand)
    takeovers = measure_takeovers(scene.kills, creations)
    lives = [life for member in crew.members for life in member.lives]
    met = scene.arena.proxies.count_met()
    return Figures(
        seconds=played.seconds,
        rounds=played.rounds,
        faults=played.faults,
        met=Counter({trouble.value: count for trouble, count in met.items()}),
        creations=len(creations),
        unlogged=scene.arena.record.unlogged,
        lists=watcher.lists,
        verdicts=count_verdicts(watcher.stories),
        doubles=tuple(wrong),
        excepted=tuple(excepted),
        verdictless=tuple(played.verdictless),
        uncounted=tuple(uncounted),
        findings=(*watcher.findings, *findings, *played.failed),
        requests=Counter(str((item.get("status") or {}).get("verdict")) for item in watcher.requests),
        complaints=tuple(line for member in crew.members for line in member.find_complaints()),
        takeovers=tuple(s for kill, s in takeovers if kill.disturbed_by is None),
        disturbed_takeovers=tuple(s for kill, s in takeovers if kill.disturbed_by is not None),
        lateness=_measure_lateness(scene, watcher),
        ends=crew.count_ends(),
        longest_life=max(lives, key=lambda life: len(life.memory)),
        most_memory=max((size for life in lives for size in life.memory), default=0),
        crowds=tuple(watcher.crowds),
        busyness=busyness,
    )


def _judge(scene: Scene, watcher: Watcher, by_hand: frozenset[str]) -> tuple[list[str], list[str]]:
    """Judge all that was created: what should not have been started, and whatever else is wrong."""
    creations = scene.arena.record.creations
    uncounted: list[str] = []
    findings = check_requests(watcher.requests, creations, by_hand)
    for story in watcher.stories:
        changes = scene.ledger.read(story.uid)
        uncounted += find_uncounted(story, creations, changes)
        findings += check_starts(story, creations, by_hand) + check_names(story, creations, changes)
    return uncounted, findings


def _measure_lateness(scene: Scene, watcher: Watcher) -> dict[str, tuple[float, ...]]:
    healthy = [story for story in watcher.stories if story.ns == HEALTHY]
    creations = scene.arena.record.creations
    gaps = find_gaps(scene.ends, scene.outages, creations)
    measured = measure_lateness(scene.windows, healthy, creations, gaps)
    return {trouble: tuple(seconds) for trouble, seconds in measured.items()}


def count_verdicts(stories: list[Story]) -> Counter[str]:
    """Count the verdicts of all schedules, by reason."""
    verdicts: Counter[str] = Counter()
    for story in stories:
        verdicts["Started"] += int(story.counters.get("started", 0))
        for verdict in ("Skipped", "Missed"):
            for reason, count in story.counters.get(verdict.lower(), {}).items():
                verdicts[f"{verdict} {reason}"] += count
    return +verdicts


def _describe(form: Form, arena: Arena) -> Setting:
    version = (arena.read("/version") or {}).get("gitVersion", "")
    machine = f"{len(os.sched_getaffinity(0))} cores, Kubernetes {version}"
    return Setting(form.seed, form.operators, form.lease_seconds, machine, read_date(read_utc_clock()))
