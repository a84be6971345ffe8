"""What is done to the leader, one function each; each leaves it to others that somebody leads again.

A new one: a function of the Scene, and its line in LEADER_FAULTS.
"""

from __future__ import annotations

import contextlib
import json
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from chaos.arena import INSTALLATION_NS, Arena
from chaos.changes import Ledger
from chaos.crew import Member, read_utc_clock
from chaos.lateness import End, Outage, Window
from chaos.weather import CLEAR, Trouble, Weather

from sundial_devcluster.polling import until

TAKEOVER_PATIENCE_SECONDS = 60.0
THIEF_SECONDS = 2
TERMS_AHEAD = 5
AGES = (0, 0, 3, 6)
"""For how many seconds a leader leads before it is killed: half of them have hardly begun."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A leader that was killed: when, in which term, and whether anything else was wrong meanwhile."""

    at: datetime
    term: int
    disturbed_by: str | None


@dataclass
class Scene:
    """What a fault is done to, and what it notes.

    `lease_seconds` are those of the operators, `stay_seconds` for how long writes go on to be slow or refused
    when somebody leads again.
    """

    arena: Arena
    chance: random.Random
    lease_seconds: float
    stay_seconds: float
    disturbance: str | None = None
    kills: list[Kill] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    deleted_by_hand: dict[str, datetime] = field(default_factory=dict)

    def find_leader(self) -> tuple[Member, int]:
        """Find the member that leads, and its term; wait until there is one."""

        def look() -> tuple[Member, int] | None:
            term, holder = self.arena.read_term()
            member = self.arena.crew.find(holder)
            return (member, term) if member is not None else None

        found = until(look, TAKEOVER_PATIENCE_SECONDS)
        assert found is not None
        return found

    def await_start(self, after: datetime, above_term: int = 0) -> None:
        """Wait until a Job was created after an instant, in a higher term."""
        record = self.arena.record
        until(lambda: record.has_start(after, above_term), TAKEOVER_PATIENCE_SECONDS)

    def kill_leader(self) -> int:
        """Kill the leader's process at once; returns its term."""
        member, term = self.find_leader()
        member.signal(signal.SIGKILL)
        self.note_kill(term)
        return term

    def note_kill(self, term: int) -> None:
        """Note that the leader of a term was killed just now."""
        self.note_end(term)
        self.kills.append(Kill(self.ends[-1].at, term, self.disturbance))

    def note_end(self, term: int) -> None:
        """Note that the leader of a term leads no longer, or not for long."""
        self.ends.append(End(read_utc_clock(), term))

    @contextlib.contextmanager
    def note_outage(self) -> Iterator[None]:
        """Note that the whole API server is away meanwhile."""
        begin = read_utc_clock()
        yield
        self.outages.append(Outage(begin, read_utc_clock()))

    @contextlib.contextmanager
    def note_window(self, trouble: str) -> Iterator[None]:
        """Note that others are in trouble meanwhile."""
        begin = read_utc_clock()
        yield
        self.windows.append(Window(trouble, begin, read_utc_clock()))


def kill_at_a_slot(scene: Scene) -> None:
    """Kill the leader within 150 ms after a full second, when creates and patches are under way."""
    scene.find_leader()
    time.sleep(scene.chance.choice(AGES))
    time.sleep(1 - time.time() % 1 + scene.chance.uniform(0, 0.15))
    _kill_and_await(scene)


def kill_between(scene: Scene) -> None:
    """Kill the leader at any moment."""
    time.sleep(scene.chance.choice(AGES) + scene.chance.uniform(0, 1.5))
    _kill_and_await(scene)


def kill_twice(scene: Scene) -> None:
    """Kill the leader, then its successor while that takes over."""
    before = scene.arena.read_holder()
    term = scene.kill_leader()
    until(lambda: scene.arena.read_holder() not in ("", before), TAKEOVER_PATIENCE_SECONDS, every=0.02)
    time.sleep(scene.chance.uniform(0, 1.5))
    member = scene.arena.crew.find(scene.arena.read_holder())
    killed_at = read_utc_clock()
    if member is not None:
        member.signal(signal.SIGKILL)
        scene.note_kill(max(term, scene.arena.read_term()[0]))
    scene.await_start(killed_at, scene.kills[-1].term)


def freeze(scene: Scene) -> None:
    """Stop the leader for longer than its Lease, and let it go on beside its successor."""
    member, term = scene.find_leader()
    begin = read_utc_clock()
    scene.note_end(term)
    member.signal(signal.SIGSTOP)
    try:
        scene.await_start(begin, term)
    finally:
        member.signal(signal.SIGCONT)


def stop_politely(scene: Scene) -> None:
    """Ask the leader to end, as a rolling update does."""
    member, term = scene.find_leader()
    begin = read_utc_clock()
    scene.note_end(term)
    member.signal(signal.SIGTERM)
    scene.await_start(begin, term)


def steal_lease(scene: Scene) -> None:
    """Give the Lease to somebody who never renews it."""
    _, term = scene.find_leader()
    scene.note_end(term)
    spec = {"holderIdentity": "thief", "leaseDurationSeconds": THIEF_SECONDS}
    _change(scene, "patch", "lease", "sundial", "--type=merge", "-p", json.dumps({"spec": spec}))
    scene.await_start(read_utc_clock(), term)


def delete_lease(scene: Scene) -> None:
    """Delete the Lease."""
    _, term = scene.find_leader()
    scene.note_end(term)
    _change(scene, "delete", "lease", "sundial")
    scene.await_start(read_utc_clock(), term)


def delete_term(scene: Scene) -> None:
    """Delete the LeaderTerm: the next term must still be higher."""
    _, term = scene.find_leader()
    scene.note_end(term)
    _change(scene, "delete", "leaderterm", "sundial")
    scene.await_start(read_utc_clock(), term)


def raise_term(scene: Scene) -> None:
    """Write a term that nobody leads: the next one must be higher still."""
    _, term = scene.find_leader()
    scene.note_end(term)
    spec = {"term": term + TERMS_AHEAD, "holder": "thief"}
    _change(scene, "patch", "leaderterm", "sundial", "--type=merge", "-p", json.dumps({"spec": spec}))
    scene.await_start(read_utc_clock(), term + TERMS_AHEAD)


def isolate(scene: Scene) -> None:
    """Let nothing of the leader pass and answer it nothing, until another one leads."""
    member, term = scene.find_leader()
    proxy = scene.arena.proxies.all[member.number]
    scene.note_end(term)
    proxy.weather = Weather(Trouble.BLACK_HOLE)
    try:
        scene.await_start(read_utc_clock(), term)
    finally:
        proxy.weather = CLEAR


def restart_apiserver(scene: Scene) -> None:
    """Stop the API server and start it again."""
    with scene.note_outage():
        scene.arena.cluster.restart_component("kube-apiserver")
    scene.await_start(read_utc_clock())


def restart_etcd(scene: Scene) -> None:
    """Stop etcd and start it again, under a running API server."""
    with scene.note_outage():
        scene.arena.cluster.restart_component("etcd")
    scene.await_start(read_utc_clock())


def _kill_and_await(scene: Scene) -> None:
    term = scene.kill_leader()
    scene.await_start(scene.kills[-1].at, term)


def _change(scene: Scene, *arguments: str) -> None:
    """Run kubectl in the installation's namespace; somebody may be quicker."""
    scene.arena.try_kubectl("-n", INSTALLATION_NS, *arguments)


KILLS: dict[str, Callable[[Scene], None]] = {
    "kill at a slot": kill_at_a_slot,
    "kill between": kill_between,
    "kill twice": kill_twice,
}
OTHER_FAULTS: dict[str, Callable[[Scene], None]] = {
    "freeze": freeze,
    "stop politely": stop_politely,
    "steal the Lease": steal_lease,
    "delete the Lease": delete_lease,
    "delete the LeaderTerm": delete_term,
    "raise the LeaderTerm": raise_term,
    "isolate the leader": isolate,
    "restart kube-apiserver": restart_apiserver,
    "restart etcd": restart_etcd,
}
LEADER_FAULTS = KILLS | OTHER_FAULTS
